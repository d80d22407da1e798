"""Cuts a stream by time: --since --until --duration --last. Blocks of samples are cut to the sample."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from sptools.clock import SECOND, span
from sptools.errors import FAILS_LATE, SpError, Usage
from sptools.record import IQ, Item, Rows, Start, nbytes, sample_size

HELD = 1 << 30  # bytes that --last may keep in memory


def time_of(item: Item) -> int | None:
    """ns UTC of a record's first sample or row; None where it has none."""
    if isinstance(item, Rows):
        value = item.values[0].get("time") if item.values else None
        return value if isinstance(value, int) else None
    return None if isinstance(item, Start) else item.time


def part(block: IQ, first: int, last: int) -> IQ:
    """Samples `first` up to (not including) `last` of a block, no copy."""
    size = sample_size(block.datatype) * block.channels
    data = block.data.view(np.uint8).reshape(-1) if isinstance(block.data, np.ndarray) else memoryview(block.data)
    return replace(
        block, time=block.time + span(first, block.rate), sample=block.sample + first, data=data[first * size : last * size]
    )


def clip(item: IQ, since: int, until: int) -> IQ | None:
    """What of a block lies in [since, until) ns; None: nothing."""
    n = item.count
    first = max(0, -(-(since - item.time) * item.rate // SECOND)) if since > item.time else 0
    last = min(n, -(-(until - item.time) * item.rate // SECOND)) if until < item.time + span(n, item.rate) else n
    first, last = int(first), int(last)
    if first >= last:
        return None
    return item if (first, last) == (0, n) else part(item, first, last)


def between(items: Iterable[Item], since: int | None, until: int | None) -> Iterator[Item]:
    """Keeps the time range [since, until), ns UTC. Stops reading at the first record after it."""
    low, high = since if since is not None else -(1 << 63), until if until is not None else 1 << 63
    for item in items:
        if isinstance(item, Start):
            yield item
        elif isinstance(item, IQ):
            kept = clip(item, low, high)
            if kept is not None:
                yield kept
            if item.time >= high:
                return
        elif isinstance(item, Rows):
            rows = [row for row in item.values if low <= row.get("time", low) < high]
            if rows:
                yield Rows(rows)
        elif low <= item.time < high:
            yield item


def duration(items: Iterable[Item], seconds: float) -> Iterator[Item]:
    """The first `seconds`: of samples as many as `seconds` · rate, lost ones counted; of other records by time."""
    first: int | None = None
    start = 0
    for item in items:
        if isinstance(item, IQ):
            first = item.sample if first is None else first
            left = first + round(seconds * item.rate) - item.sample
            if item.count >= left:
                if left > 0:
                    yield item if item.count == left else part(item, 0, left)
                return
        elif not isinstance(item, Start) and (time := time_of(item)) is not None:
            first, start = (0, time) if first is None else (first, start)
            end = start + round(seconds * SECOND)
            if time >= end:
                return
            if isinstance(item, Rows) and item.values[-1].get("time", time) >= end:
                yield Rows([row for row in item.values if row.get("time", time) < end])
                return
        yield item


def head(item: Item, n: int) -> tuple[Item, int]:
    """At most `n` samples (IQ, audio), rows or records of an item, and how many they are."""
    if isinstance(item, Start):
        return item, 0
    if not isinstance(item, (IQ, Rows)):
        return item, 1
    if item.count <= n:
        return item, item.count
    return (Rows(item.values[:n]) if isinstance(item, Rows) else part(item, 0, n)), n


def last(items: Iterable[Item], seconds: float) -> Iterator[Item]:
    """The last `seconds` of what came, known only at the end: buffers so much (at most 1 GiB)."""
    kept: deque[tuple[Start | None, Item]] = deque()
    size, newest, start = 0, -(1 << 63), None
    problem: SpError | None = None
    source = iter(items)
    while True:
        try:
            item = next(source)
        except StopIteration:
            break
        except FAILS_LATE as error:
            problem = error
            break
        if isinstance(item, Start):
            start = item
            continue
        kept.append((start, item))
        size += _size(item)
        newest = max(newest, _end(item))
        while _end(kept[0][1]) <= newest - round(seconds * SECOND):
            size -= _size(kept.popleft()[1])
        if size > HELD:
            raise Usage(f"--last {seconds:g}s holds more than 1 GiB of this stream: write it to a file first, or ask for less")
    yield from between(_with_starts(kept), newest - round(seconds * SECOND), None)
    if problem:
        raise problem


def _with_starts(kept: Iterable[tuple[Start | None, Item]]) -> Iterator[Item]:
    shown = None
    for start, item in kept:
        if start is not None and start is not shown:
            shown = start
            yield start
        yield item


def _size(item: Item) -> int:
    return nbytes(item.data) if isinstance(item, IQ) else 256


def _end(item: Item) -> int:
    return (time_of(item) or 0) + (span(item.count, item.rate) if isinstance(item, IQ) else 1)
