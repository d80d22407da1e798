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

CLEAR = (11, 17, 18)
PARITY = (0, 4, 5, 16, 20, 21)
INTERROGATORS = 80
ONES = np.ones(56, np.float32)  # sums whole numbers below 2^24, so exactly, whatever the order


class Looks(NamedTuple):
    """How much each candidate looks like a message, beside its bits. bool (n,) each, and the level in dBFS, float64 (n,)."""

    fair: np.ndarray
    good: np.ndarray
    level: np.ndarray


def looks(sums: np.ndarray, a: np.ndarray, b: np.ndarray, full: float) -> Looks:
    """`sums`, `a`, `b`: see `slicer`, float32 (4, n) and uint16 (n, 112); `full`: height of a full-scale carrier.

    Silence in the preamble against its pulses (noise: 0.2 to 0.6, median 0.4), pulses of the first 56 bits against the
    preamble's (0.8; a message has 1.05 to 1.3), and the spread of the bits' energies (0.36; a message below 0.29).
    """
    pulses = sums[0] / 4
    silence = sums[1] / (6 * pulses)
    a, b = a[:, :56], b[:, :56]
    peaks = np.maximum(a, b).astype(np.float32) @ ONES / (56 * pulses)
    fair = (silence < 0.45) & (peaks > 0.8)
    both = (a + b).astype(np.float32)  # two heights fit in 16 bits
    mean = np.maximum(both @ ONES / 56, 1)
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


# the aircraft, valid, the wrong bits, fields that only the evidence knows. A plain tuple: one a message
Belief = tuple[Aircraft, str, tuple[int, ...], dict[str, int] | None]


def judge(df: int, remainder: int, icao: int, time: float, traffic: Traffic) -> Belief | None:
    """One reading that `chances` let through. `icao`: bits 8 to 31. Adds a proved address to `traffic`."""
    if df not in CLEAR:
        craft = traffic.known(remainder, time)
        return (craft, "inferred", (), None) if craft else None
    if not remainder:
        return (traffic.heard(icao, time), "crc", (), None) if icao else None
    if df == 11:
        craft = traffic.known(icao, time)
        return (craft, "inferred", (), {"interrogator": remainder}) if craft else None
    wrong = _PAIRS.get(remainder) or (crc.SINGLE[crc.LONG][remainder],)
    craft = traffic.known(flipped(icao, wrong, 8, 24), time)
    return (craft, "repaired", wrong, {"repaired_bits": len(wrong)}) if craft else None


def flipped(value: int, wrong: tuple[int, ...], first: int, size: int) -> int:
    """The bits `first` … `first + size` of a message, with those that are wrong (0: sent first) turned over."""
    for bit in wrong:
        if first <= bit < first + size:
            value ^= 1 << first + size - 1 - bit
    return value
