"""Is a cache whole? Every block against its checksum, every header against its copy, every channel for its gaps."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sptools.cache import index, layout
from sptools.cache.blocks import END, Part, blocks
from sptools.cache.read import chosen
from sptools.continuity import Continuity
from sptools.errors import BadData, SpError
from sptools.formats.avro.reader import NUMBERED, Faults
from sptools.record import Start

NO_INDEX = "no index beside it: a changed bit inside a block would not show; sp-relay makes one when it starts"


class Places(Faults):
    """Keeps every damaged place of a segment."""

    def __init__(self, name: str):
        super().__init__(name)
        self.all: list[tuple[int, int, str]] = []

    def add(self, offset: int, size: int, blocks: int, why: str) -> None:
        super().add(offset, size, blocks, why)
        self.all.append((offset, size, why))


class Sums:
    def __init__(self) -> None:
        self.segments = self.open = self.records = self.damaged = self.unindexed = self.gaps = self.lost = 0


def check(cache: str, as_json: bool) -> Iterator[str]:
    """A line for each damaged place, missing index and gap, then one for the cache. Raises BadData at the end."""
    sums = Sums()
    follow: dict[str, Continuity] = {}
    for segment in chosen(cache, ()):
        for fact in _segment(segment, follow.setdefault(segment.channel, Continuity()), sums):
            yield json.dumps(fact) if as_json else _line(fact)
    facts = {"input": cache, **vars(sums)}
    yield json.dumps(facts) if as_json else _sum(facts)
    if sums.damaged:
        places = "1 place is" if sums.damaged == 1 else f"{sums.damaged:,} places are"
        raise BadData(f"{cache}: {places} damaged; the rest is sound")


def _segment(segment: layout.Segment, follow: Continuity, sums: Sums) -> Iterator[dict]:
    places = Places(segment.path)
    sums.segments += 1
    sums.open += segment.open
    told = index.load(segment.index_path)
    if told is None or not told.header:
        sums.unindexed += 1
        yield {"input": segment.path, "why": NO_INDEX}
    try:
        for item in blocks(Part(0, segment, 0, END), places):
            sums.records += not isinstance(item, Start)
            verdict, lost = follow.see(item)
            # of samples, those that follow a header tell how many are missing
            if verdict == "gap" and not (isinstance(item, Start) and item.name in NUMBERED):
                sums.gaps += 1
                sums.lost += lost
                yield {"channel": segment.channel, "input": segment.path, "lost": lost}
    except FileNotFoundError:
        sums.segments -= 1  # retention was quicker
    except SpError as error:
        if not places.places:
            places.add(0, 0, 1, str(error))
    sums.damaged += places.places
    for offset, size, why in places.all:
        yield {"input": segment.path, "offset": offset, "bytes": size, "why": why}


def _line(fact: dict) -> str:
    if "lost" in fact:
        return f"{fact['input']}: a gap, {fact['lost']:,} lost"
    if "offset" in fact:
        return f"{fact['input']}: byte {fact['offset']:,}: {fact['bytes']:,} bytes skipped: {fact['why']}"
    return f"{fact['input']}: {fact['why']}"


def _sum(facts: dict) -> str:
    found = f"{facts['damaged']:,} damaged" if facts["damaged"] else "all checksums agree" if not facts["unindexed"] else "sound"
    more = f", {facts['unindexed']:,} without an index" if facts["unindexed"] else ""
    lost = f"{facts['lost']:,} lost in {facts['gaps']:,} gaps" if facts["gaps"] else "no gaps"
    held = f"{facts['segments']:,} segments ({facts['open']:,} open), {facts['records']:,} records"
    return f"{facts['input']}: {held}, {found}{more}; {lost}"
