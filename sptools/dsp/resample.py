"""How a rate becomes another: whole-numbered decimations of the IQ, then one rational step to the output rate.

    rate ──÷ downs[0]──÷ downs[1]── channel rate ──× up ÷ down── output rate

`plan` tries the factors of every sensible decimation and takes the one with the fewest multiplications.
"""

from __future__ import annotations

from fractions import Fraction
from math import inf, lcm
from typing import NamedTuple

from sptools.errors import RateTooLow

EXACT = 100_000  # larger denominators are rounded: the output rate then differs from the asked one by less than 1e-6
MOST = 1 << 16  # samples in a chunk; longer ones leave the cache
ROWS = 8  # groups in a row of a complex filter: 16 columns, which suits BLAS


class Plan(NamedTuple):
    """`rate` of the channel (Hz) after `downs`; `up`/`down` to the output; `chunk` in input samples; `ratio` in all."""

    downs: tuple[int, ...]
    rate: float
    up: int
    down: int
    chunk: int
    unit: int
    ratio: Fraction


def rational(rate: float, wanted: float) -> Fraction:
    """wanted / rate; exact where that is a fraction a filter can be made for."""
    exact = Fraction(wanted) / Fraction(rate)
    return exact if exact.denominator <= EXACT else exact.limit_denominator(EXACT // 5)


def rows_for(up: int) -> int:
    """Groups in a row of the last filter: about 16 columns, and a power of two, which keeps the chunk's unit small."""
    rows = 16
    while rows > 1 and rows * up > 24:
        rows //= 2
    return rows


def plan(
    what: str,
    rate: float,
    wanted: float,
    passband: float,
    stopband: float,
    lowest: float,
    taps: float,
    latency: float,
    stop: float = 60.0,
) -> Plan:
    """For a channel of ±`passband` Hz that must keep out what lies beyond ±`stopband`, at a channel rate of at least
    `lowest`, followed by a real filter that is `taps` seconds long. A chunk lasts at most `latency` seconds, but holds at
    least one row of every filter.
    """
    if rate < lowest:
        raise RateTooLow(what, need=lowest, have=rate)
    ratio = rational(rate, wanted)
    most = int(rate / max(lowest, passband + stopband)) or 1
    best: tuple[float, Plan] = (inf, Plan((1,), rate, 1, 1, 0, 0, ratio))
    for total in range(max(1, int(most / 2.2)), most + 1):
        last = ratio * total
        for downs in factors(total):
            cost, at, unit = 0.0, rate, 1
            for i, down in enumerate(downs):
                width = (stopband if i == len(downs) - 1 else at / down - stopband) - passband
                cost += (28 + 4 * length(at, width, stop) / down) * at
                at /= down
                unit = lcm(unit, round(rate / at) * ROWS)
            across = max(last.denominator, last.denominator * rows_for(last.numerator)) + taps * at
            cost += across * float(last) * at
            unit = lcm(unit, total * last.denominator * rows_for(last.numerator))
            cost *= 1 + max(0.0, unit / rate - min(0.01, latency)) * 100
            if cost < best[0]:
                chunk = unit * max(1, int(min(latency * rate, MOST) // unit))
                best = cost, Plan(downs, at, last.numerator, last.denominator, chunk, unit, ratio)
    return best[1]


def length(rate: float, transition: float, stop: float) -> float:
    """About how many taps an equal-ripple filter needs. Source: F. Bellanger, Digital Processing of Signals, 1984."""
    return inf if transition <= 0 else (stop - 6) * rate / (14.6 * transition)


def factors(total: int) -> list[tuple[int, ...]]:
    """Ordered products of one to three numbers above 1 (or just (1,)), no factor above 32."""
    found = [(total,)]
    for a in range(2, min(total // 2, 32) + 1):
        if total % a:
            continue
        rest = total // a
        found.append((a, rest))
        found += [(a, b, rest // b) for b in range(2, rest // 2 + 1) if rest % b == 0]
    return found
