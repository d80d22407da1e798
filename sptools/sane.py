"""Refuses records that are well formed and still cannot be true, once, where they come in: law L6.

A rate of 0 or 1e300, a time at the end of int64, half a sample: behind this, a stage may divide by the rate and add up
times without thinking of them. Such a block is skipped; Continuity sees the gap. Costs about 1 µs a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from sptools.errors import BadData
from sptools.limits import HERTZ, TIME_ns
from sptools.record import IQ, Item, Message, Spectrum, components, nbytes, sample_size

CHANNELS = 1024
SAMPLE = 1 << 62  # sums and products with a ratio of rates stay within int64


def checked(items: Iterator[Item], name: str) -> Iterator[Item]:
    """The believable ones of `items`. BadData at the end if there were others; `name`: of the input, for the message."""
    yield from _kept(items, name, doubt, "cannot be")


def finite(items: Iterator[Item]) -> Iterator[Item]:
    """Leaves out blocks with a NaN or an infinity among their samples, which a filter would carry on for ever."""
    yield from _kept(items, "the input", not_finite, "no filter survives")


def doubt(item: Item) -> str:
    """Field and value that cannot be true; empty: none."""
    if isinstance(item, IQ):
        return _samples(item)
    if isinstance(item, Spectrum):
        return _tuned(item) or _timed(item.time, item.sample, 0.0)
    if isinstance(item, Message):
        return _timed(item.time, item.sample, 0.0)
    return ""


def not_finite(item: Item) -> str:
    """Says where a block of floats has a sample that is none. A product is finite only where all of its factors are:
    a third of the time of looking at each."""
    if isinstance(item, IQ) and "f" in item.datatype:
        x = components(item)
        with np.errstate(all="ignore"):
            fine = np.isfinite(np.dot(x, x))
        if not fine and not (ok := np.isfinite(x)).all():
            return f"{x[np.argmin(ok)]} at sample {item.sample + int(np.argmin(ok)) // (len(x) // item.count)}"
    return ""


def _samples(block: IQ) -> str:
    rate = block.rate
    if not 0 < rate <= HERTZ or not -HERTZ <= block.freq <= HERTZ:
        return _tuned(block)
    if not 1 <= block.channels <= CHANNELS:
        return f"{block.channels} channels, not 1 to {CHANNELS}"
    try:
        count, rest = divmod(nbytes(block.data), sample_size(block.datatype) * block.channels)
    except KeyError:
        return f"the datatype {block.datatype[:40]!r}, which is not one of SigMF's"
    if rest:
        return f"{nbytes(block.data)} bytes, not whole samples of {block.datatype}"
    return _timed(block.time, block.sample, count / rate)


def _tuned(item: IQ | Spectrum) -> str:
    if not 0 < item.rate <= HERTZ:
        return f"a rate of {item.rate:g} samples/s"
    if not -HERTZ <= item.freq <= HERTZ:
        return f"a frequency of {item.freq:g} Hz"
    return ""


def _timed(time: int, sample: int, length: float) -> str:
    """`length` of the block, s."""
    if not -TIME_ns < time < TIME_ns - length * 1e9:
        return f"{length:g} s at time {time} ns, beyond the years that 64 bits can count"
    if not -SAMPLE < sample < SAMPLE:
        return f"sample number {sample}, beyond 2^62"
    return ""


def _kept(items: Iterator[Item], name: str, wrong: Callable[[Item], str], what: str) -> Iterator[Item]:
    skipped, first = 0, ""
    other: BadData | None = None
    try:
        for item in items:
            if why := wrong(item):
                skipped, first = skipped + 1, first or why
            else:
                yield item
            del item  # its buffer can be used again for the next one
    except BadData as error:
        if not skipped:
            raise
        other = error
    if skipped:
        blocks = "1 block" if skipped == 1 else f"{skipped:,} blocks"
        also = f". And {other}" if other else ""
        raise BadData(f"{name}: {blocks} left out that {what}, the first with {first}; the rest was delivered{also}") from other
