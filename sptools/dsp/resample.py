"""How a rate becomes another: whole-numbered decimations of the IQ, then one rational step to the output rate.

    rate ──÷ downs[0]──÷ downs[1]── channel rate ──× up ÷ down── output rate

`plan` tries the factors of every sensible decimation and takes the one with the fewest multiplications.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import NamedTuple

from sptools.errors import RateTooLow

EXACT = 100_000  # larger denominators are rounded: the output rate then differs from the asked one by 2e-6 at most
MOST = 1 << 16  # samples in a chunk; longer ones leave the cache
HOP_s = 5e-3  # as short as a clean edge of the squelch
ROWS = 8  # groups in a row of a complex filter: 16 columns, which suits BLAS


class Plan(NamedTuple):
    """`rate` of the channel (Hz) after `downs`; `up`/`down` to the output, in `rows` groups a row; `hop` input samples are
    whole rows of every filter, about 5 ms long; `chunk` is a number of hops; `ratio` in all.
    """

    downs: tuple[int, ...]
    rate: float
    up: int
    down: int
    rows: int
    hop: int
    chunk: int
    ratio: Fraction


def rational(rate: float, wanted: float) -> Fraction:
    """wanted / rate; exact where that is a fraction a filter can be made for."""
    exact = Fraction(wanted) / Fraction(rate)
    return exact if exact.denominator <= EXACT else exact.limit_denominator(EXACT // 5)


def rows_for(up: int, down: int, taps: float) -> int:
    """Groups in a row of the last filter: 16 columns or so, more for a long filter, which else falls into many parts.
    A power of two, which keeps the hop small.
    """
    rows = 16
    while rows > 1 and rows * up > 24:
        rows //= 2
    while rows * up < 256 and rows * down * 8 < taps:
        rows *= 2
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
    span: float = 2.2,
) -> Plan:
    """For a channel of ±`passband` Hz that must keep out what lies beyond ±`stopband`, at a channel rate between `lowest`
    and `span` times that, followed by a filter `taps` seconds long. A chunk lasts at most `latency` seconds, but at least a hop.
    """
    if rate < lowest:
        raise RateTooLow(what, need=lowest, have=rate)
    ratio = rational(rate, wanted)
    most = int(rate / max(lowest, passband + stopband) * (1 + 1e-9)) or 1
    hop_s = min(HOP_s, latency)
    best: tuple[float, Plan] | None = None
    for total in range(max(1, int(most / span)), most + 1):
        last = ratio * total
        for downs in factors(total):
            cost, at, done, unit = 0.0, rate, 1, 1
            for i, down in enumerate(downs):
                width = (stopband if i == len(downs) - 1 else at / down - stopband) - passband
                cost += (4 * (ROWS - 1) + 4 * length(at, width, stop) / down) * at
                done *= down
                at = rate / done
                unit = lcm(unit, done * ROWS)
            rows = rows_for(last.numerator, last.denominator, taps * at)
            cost += (last.denominator * rows + taps * at) * float(last) * at
            unit = lcm(unit, total * last.denominator * rows)
            cost *= 1 + 100 * max(0.0, unit / rate - 2 * hop_s)
            if best is None or cost < best[0]:
                hop = unit * max(1, round(hop_s * rate / unit))
                chunk = hop * max(1, int(min(latency * rate, MOST) // hop))
                best = cost, Plan(downs, at, last.numerator, last.denominator, rows, hop, chunk, ratio)
    assert best is not None
    return best[1]


def length(rate: float, transition: float, stop: float) -> float:
    """About how many taps an equal-ripple filter needs. Source: F. Bellanger, Digital Processing of Signals, 1984."""
    return 1e12 if transition <= 0 else (stop - 6) * rate / (14.6 * transition)


def factors(total: int) -> list[tuple[int, ...]]:
    """Ordered products of one to three numbers above 1 (or just (1,)), no factor above 32."""
    found: list[tuple[int, ...]] = [(total,)]
    for a in range(2, min(total // 2, 32) + 1):
        if total % a:
            continue
        rest = total // a
        found.append((a, rest))
        found += [(a, b, rest // b) for b in range(2, rest // 2 + 1) if rest % b == 0]
    return found
