"""What is believed. Parity alone proves a message whose address is sent in the clear; the others need a known aircraft.

    DF 17, 18   remainder 0: `crc`. One wrong bit (two: aggressive) and a known address: `repaired`
    DF 11       remainder 0: `crc`. Below 80, the code of the radar that asked, and a known address: `inferred`
    DF 0 4 5 16 20 21 24   the remainder is the address: `inferred` if it is known

Noise: of a million samples some 600 pass the preamble, 3/32 of those look like DF 11, 17 or 18, and 2⁻²⁴ of those have
remainder 0 by chance: 0.05 an hour in both readings, less than half of that after `Looks.fair`. With 100 known aircraft
the inferred ones would come to twenty an hour; they also need `Looks.good`, which leaves less than 0.1. A test measures it.

Source: ICAO Annex 10 volume IV §3.1.2; the rules follow dump1090's.
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
    w = window[:, :DATA].astype(np.float32)
    pulses = (w[:, 0] + w[:, 2] + w[:, 7] + w[:, 9]) / 4
    silence = (w[:, 4] + w[:, 5] + w[:, 11] + w[:, 12] + w[:, 13] + w[:, 14]) / (6 * pulses)
    a, b = window[:, DATA : DATA + 112 : 2], window[:, DATA + 1 : DATA + 112 : 2]
    peaks = np.maximum(a, b).sum(axis=1, dtype=np.uint32) / (56 * pulses)
    fair = (silence < 0.45) & (peaks > 0.8)
    both = (a + b).astype(np.float32)  # two heights fit in 16 bits
    mean = np.maximum(both.sum(axis=1) / 56, 1)
    spread = np.einsum("ij,ij->i", both, both) / 56 / (mean * mean) - 1
    good = fair & (silence < 0.3) & (spread < 0.32 * 0.32) & (peaks < 2)
    return Looks(fair, good, 20 * np.log10(pulses.astype(np.float64) / full))


# format → can it be believed on its parity alone / by a known address
_CLEAR, _PARITY = np.zeros((2, 32), np.bool_)
_CLEAR[list(CLEAR)] = True
_PARITY[[*PARITY, 24, 25, 26, 27]] = True
_SINGLE = np.array(sorted(crc.SINGLE[crc.LONG]), np.uint32)
_PAIRS = crc.pairs()
_DOUBLE = np.array(sorted(_PAIRS), np.uint32)


def within(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Is each value in the sorted table? bool (n,)."""
    return table[np.minimum(np.searchsorted(table, values), len(table) - 1)] == values


def proves(formats: np.ndarray, remainders: np.ndarray) -> np.ndarray:
    """Which readings are true whatever is known: intact, with the address in the clear. bool (n,)."""
    return _CLEAR[formats] & (remainders == 0)


def chances(formats: np.ndarray, remainders: np.ndarray, good: np.ndarray, repair: int) -> tuple[np.ndarray, np.ndarray]:
    """Which readings are proved, and which may yet be believed if an aircraft is known. bool (n,) each."""
    clear = _CLEAR[formats]
    proved = proves(formats, remainders)
    maybe = good & (_PARITY[formats] | (formats == 11) & (remainders < INTERROGATORS))
    if repair:
        maybe |= clear & (formats != 11) & within(remainders, _SINGLE)
    if repair > 1:
        maybe |= clear & (formats != 11) & within(remainders, _DOUBLE)
    return proved, maybe & ~proved


# raw value, its bits, the aircraft, valid, fields that only the evidence knows. A plain tuple: one a message
Belief = tuple[int, int, Aircraft, str, dict[str, int]]
_NOTHING: dict[str, int] = {}


def judge(raw: bytes, df: int, remainder: int, time: float, traffic: Traffic) -> Belief | None:
    """One reading that `chances` let through. `raw`: 14 bytes, first bit highest. Adds a proved address to `traffic`."""
    bits = crc.LONG if df >= 16 else crc.SHORT
    value = int.from_bytes(raw if df >= 16 else raw[:7], "big")
    if df not in CLEAR:
        craft = traffic.known(remainder, time)
        return (value, bits, craft, "inferred", _NOTHING) if craft else None
    icao = value >> bits - 32 & 0xFFFFFF
    if not remainder:
        return (value, bits, traffic.heard(icao, time), "crc", _NOTHING) if icao else None
    if df == 11:
        craft = traffic.known(icao, time)
        return (value, bits, craft, "inferred", {"interrogator": remainder}) if craft else None
    wrong = _PAIRS.get(remainder) or (crc.SINGLE[crc.LONG][remainder],)
    for bit in wrong:
        value ^= 1 << crc.LONG - 1 - bit
    craft = traffic.known(value >> 80 & 0xFFFFFF, time)
    return (value, bits, craft, "repaired", {"repaired_bits": len(wrong)}) if craft else None
