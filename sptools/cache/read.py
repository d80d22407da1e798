"""A cache, or a time range of it, as a stream of records: only the blocks that overlap the range are read."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from sptools import cut, errors, instant
from sptools.cache import index, layout, mend
from sptools.cache.blocks import END, Damage, Part, blocks
from sptools.cache.index import OFFSET, SIZE
from sptools.clock import SECOND, span
from sptools.formats.avro import container
from sptools.record import IQ, Item, Rows, Start


def read(
    cache: str,
    since: int | None = None,
    until: int | None = None,
    last: float | None = None,
    channels: Sequence[str] = (),
) -> Iterator[Item]:
    """Records of [since, until) ns UTC, or of the `last` seconds, of `channels` (globs; none: all).

    Each segment is a container; those of several channels follow one another by their first time. NoInput: there is no
    such channel, or nothing in the range. BadData at the end: something was damaged, and the rest was delivered.
    """
    segments = chosen(cache, channels)
    if last is not None:
        newest = end_of(segments)
        since = max(newest - round(last * SECOND), since if since is not None else -END)
    parts = find(segments, since, until)
    if not parts:
        raise _nothing(cache, segments, since, until)
    damage = Damage(cache)
    problem: errors.BadData | None = None
    empty = True
    for part in parts:
        try:
            for item in between(blocks(part, damage), since, until):
                empty = False
                yield item
        except FileNotFoundError:
            continue  # retention was quicker; the numbers of the blocks show the gap
        except errors.BadData as error:
            problem = error
    if damage.places:
        raise damage.error()
    if problem:
        raise problem
    if empty:
        raise _nothing(cache, segments, since, until)


def between(items: Iterator[Item], since: int | None, until: int | None) -> Iterator[Item]:
    """What of a segment lies in [since, until) ns, behind a header that has the number of the first block of it."""
    start: Start | None = None
    number = 0
    for item in items:
        if isinstance(item, Start):
            start, number = item, item.first
            continue
        for kept in cut.between((item,), since, until):
            if start:
                yield start if number == start.first else replace(start, first=number, lost=0)
                start = None
            yield kept
        number += 1


def chosen(cache: str, channels: Sequence[str]) -> list[layout.Segment]:
    """The segments of the channels that a glob matches, by channel and name."""
    if not os.path.isdir(cache):
        raise errors.NoInput(f"{cache} is not a cache: there is no such folder")
    found = [_named(s) for s in layout.segments(cache)]
    if not found:
        raise errors.NoInput(f"{cache} holds no segment: is it a cache?")
    kept = [s for s in found if not channels or any(fnmatch.fnmatchcase(s.channel, glob) for glob in channels)]
    if not kept:
        names = ", ".join(sorted({s.channel for s in found}))
        raise errors.NoInput(f"no channel matches {' '.join(channels)}: {cache} holds {names}")
    return kept


def _named(segment: layout.Segment) -> layout.Segment:
    """The folder of one channel was given: its segments tell the channel's name."""
    if segment.channel:
        return segment
    told = index.load(segment.index_path)
    header = index.parse(told.header) if told else None
    return segment._replace(channel=container.start_of(header).channel if header else "")


def find(segments: Sequence[layout.Segment], since: int | None, until: int | None) -> list[Part]:
    """What of each segment has to be read, in the order of time. `segments` by channel and name."""
    parts = []
    following: tuple[str, int] = "", 0  # channel and beginning of the segment behind
    for segment in reversed(segments):
        rows = whole_rows(segment)
        if rows is None:  # no index: all of it
            parts.append(Part(0, segment, 0, END))
            following = "", 0
            continue
        begin = index.begins(rows)
        # the last block ends where the next segment begins; where boots overlap, a block's length later
        end = following[1] + int(np.diff(begin).max(initial=0)) if following[0] == segment.channel else 0
        if not end and not segment.open and len(rows) and since is not None and since > begin[-1]:
            end = end_of((segment,))
        first, stop = index.find(rows, since, until, end)
        if first < stop:
            parts.append(Part(int(begin[first]), segment, first, stop))
        if len(rows):
            following = segment.channel, int(begin[0])
    parts.sort(key=lambda part: (layout.stem(part.begin) if part.begin else part.segment.stem, part.segment))
    return parts


def whole_rows(segment: layout.Segment) -> np.ndarray | None:
    """The rows of a segment's blocks, those included that its index lacks; None: there is nothing to go by."""
    told = index.load(segment.index_path)
    if told is None or not told.header:
        return None
    try:
        size = os.stat(segment.path).st_size
    except FileNotFoundError:
        return told.rows
    rows = told.rows
    if len(rows) and rows[0, OFFSET] == len(told.header) and rows[-1, OFFSET] + rows[-1, SIZE] >= size:
        if (rows[1:, OFFSET] == rows[:-1, OFFSET] + rows[:-1, SIZE]).all():
            return rows
    with open(segment.path, "rb") as file:
        header = index.parse(told.header)
        return mend.complete(told, file.fileno(), header)[0] if header else None


def end_of(segments: Sequence[layout.Segment]) -> int:
    """When the newest record of some channels ends, ns UTC."""
    newest: dict[str, tuple[int, Part]] = {}
    for segment in segments:
        rows = whole_rows(segment)
        if rows is None or not len(rows):
            continue
        begin = index.begins(rows)
        at = int(np.argmax(begin))
        if segment.channel not in newest or begin[at] > newest[segment.channel][0]:
            newest[segment.channel] = int(begin[at]), Part(int(begin[at]), segment, max(0, at - 1), at + 1)
    end = 0
    for latest, part in newest.values():
        end = max(end, latest)
        try:
            for item in blocks(part, Damage(part.segment.path)):
                end = max(end, _end(item))
        except (FileNotFoundError, errors.BadData):
            continue
    return end


def _end(item: Item) -> int:
    """When a record ends, ns UTC."""
    if isinstance(item, IQ):
        return item.time + span(item.count, item.rate)
    if isinstance(item, Rows):
        return max((t for row in item.values if isinstance(t := row.get("time"), int)), default=-1) + 1
    return (cut.time_of(item) or 0) + 1


def _nothing(cache: str, segments: Sequence[layout.Segment], since: int | None, until: int | None) -> errors.NoInput:
    begins: list[int] = []
    for segment in segments:
        rows = whole_rows(segment)
        if rows is not None and len(rows):
            begins += index.begins(rows[[0, -1]]).tolist()
    words = [f"{word} {instant.format(t)}" for word, t in (("from", since), ("to", until)) if t is not None]
    holds = f"it holds {instant.format(min(begins))} to about {instant.format(max(begins))}" if begins else "it is empty"
    return errors.NoInput(f"{' '.join([cache, 'holds nothing', *words])}: {holds}")
