"""What is believed. Parity alone proves a message whose address is sent in the clear; the others need a known aircraft.

    DF 17, 18   remainder 0: `crc`. One wrong bit (two: aggressive) and a known address: `repaired`
    DF 11       remainder 0: `crc`. Below 80, the code of the radar that asked, and a known address: `inferred`
    DF 0 4 5 16 20 21 24   the remainder is the address: `inferred` if it is known

Noise: of a million samples some 600 pass the preamble, 3/32 of those look like DF 11, 17 or 18, and 2⁻²⁴ of those have remainder 0
by chance: 0.05 an hour, a tenth of that after `Looks.fair`. With 100 known aircraft the inferred ones would come to ten an hour; they also
need `Looks.good`. The figures are in the test of this file.

Source: facts of ICAO Annex 10 volume IV §3.1.2; the rules follow dump1090's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import crc
from .aircraft import Aircraft, Traffic
from .slicer import DATA

CLEAR = (11, 17, 18)
PARITY = (0, 4, 5, 16, 20, 21)
INTERROGATORS = 80
FORMATS = frozenset((*CLEAR, *PARITY, 24))


class Looks(NamedTuple):
    """How much each candidate looks like a message, beside its bits. bool (n,) each, and the level in dBFS, float64 (n,)."""

    fair: np.ndarray
    good: np.ndarray
    level: np.ndarray


def looks(window: np.ndarray, full: float) -> Looks:
    """`window`: uint16 (n, SPAN) from the first pulse; `full`: height of a full-scale carrier.

    Silence in the preamble against its pulses (noise: 0.2 to 0.6, median 0.4), pulses of the first 56 bits against the
    preamble's (0.8; a message has 1.05 to 1.3), and the spread of the bits' energies (0.36; a message below 0.29).
    """
    w = window[:, : DATA + 112].astype(np.float32)
    pulses = (w[:, 0] + w[:, 2] + w[:, 7] + w[:, 9]) / 4
    silence = (w[:, 4] + w[:, 5] + w[:, 11] + w[:, 12] + w[:, 13] + w[:, 14]) / (6 * pulses)
    a, b = w[:, DATA::2], w[:, DATA + 1 :: 2]
    both = a + b
    mean = both.mean(axis=1)
    square = np.einsum("ij,ij->i", both, both) / both.shape[1]
    spread = square / (mean * mean) - 1
    peaks = np.maximum(a, b).mean(axis=1) / pulses
    fair = (silence < 0.45) & (peaks > 0.8)
    good = fair & (silence < 0.3) & (spread < 0.32 * 0.32) & (peaks < 2)
    return Looks(fair, good, 20 * np.log10(pulses.astype(np.float64) / full))


class Belief(NamedTuple):
    """A message that is believed. `raw`: its bits as an integer, repaired."""

    df: int
    bits: int
    raw: int
    icao: int
    valid: str
    repaired: int
    interrogator: int
    craft: Aircraft | None


def judge(raw: bytes, df: int, remainder: int, good: bool, time: float, traffic: Traffic, repair: int) -> Belief | None:
    """`raw`: 14 bytes, first bit highest. `repair`: most bits to turn over. Adds a proved address to `traffic`."""
    if df >= 24:
        df = 24
    bits = crc.LONG if df >= 16 else crc.SHORT
    if df in CLEAR:
        icao = raw[1] << 16 | raw[2] << 8 | raw[3]
        if not remainder:
            if not icao:
                return None
            craft = traffic.heard(icao, time)
            return Belief(df, bits, number(raw, bits), icao, "crc", 0, 0, craft)
        if df == 11:
            craft = traffic.known(icao, time) if remainder < INTERROGATORS and good else None
            if craft is None:
                return None
            return Belief(df, bits, number(raw, bits), icao, "inferred", 0, remainder, craft)
        return mended(df, number(raw, bits), remainder, time, traffic, repair)
    craft = traffic.known(remainder, time) if good else None
    if craft is None:
        return None
    return Belief(df, bits, number(raw, bits), remainder, "inferred", 0, 0, craft)


def number(raw: bytes, bits: int) -> int:
    return int.from_bytes(raw[: bits >> 3], "big")


_PAIRS: dict[int, tuple[int, int]] = {}  # a constant table, made on first use: 5,671 entries that most runs never need


def mended(df: int, raw: int, remainder: int, time: float, traffic: Traffic, repair: int) -> Belief | None:
    """A squitter with one or two wrong bits, if it then comes from a known aircraft."""
    if not repair:
        return None
    wrong: tuple[int, ...] = ()
    single = crc.SINGLE[crc.LONG].get(remainder)
    if single is not None:
        wrong = (single,)
    elif repair > 1:
        if not _PAIRS:
            _PAIRS.update(crc.pairs())
        wrong = _PAIRS.get(remainder, ())
    if not wrong:
        return None
    for bit in wrong:
        raw ^= 1 << (crc.LONG - 1 - bit)
    icao = raw >> 80 & 0xFFFFFF
    craft = traffic.known(icao, time)
    return Belief(df, crc.LONG, raw, icao, "repaired", len(wrong), 0, craft) if craft else None
