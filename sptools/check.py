"""`sp-cat --check`: reads every block of containers, and names each place that is damaged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from sptools import url
from sptools.errors import BadData, NoInput, SpError, Usage
from sptools.formats.avro.reader import Faults, read
from sptools.record import Start
from sptools.stream import is_cache
from sptools.transports.file import Input

NO_CHECKSUM = "no index beside it: a changed bit inside a block's samples would not show"


class Places(Faults):
    """Keeps every damaged place, up to a thousand."""

    MOST = 1000

    def __init__(self, name: str):
        super().__init__(name)
        self.all: list[tuple[int, int, str]] = []

    def add(self, offset: int, size: int, blocks: int, why: str) -> None:
        super().add(offset, size, blocks, why)
        if len(self.all) < self.MOST:
            self.all.append((offset, size, why))


def check(texts: Iterable[str], as_json: bool) -> Iterator[str]:
    """A line for each damaged place, then one for each input. Raises at the end if anything was wrong."""
    problem: SpError | None = None
    for text in texts:
        endpoint = url.parse(text)
        if is_cache(endpoint):
            from sptools.cache.check import check as check_cache

            try:
                yield from check_cache(endpoint.place, as_json)
            except (BadData, NoInput) as error:
                problem = problem or error
            continue
        if endpoint.kind != "avro":
            raise Usage(f"{text}: --check reads Avro containers; {endpoint.kind} has no framing to check")
        try:
            yield from _one(endpoint.place, as_json)
        except (BadData, NoInput) as error:
            problem = problem or error
    if problem is not None:
        raise problem


def _one(place: str, as_json: bool) -> Iterator[str]:
    source = Input(place)
    places = Places(source.name)
    containers = records = 0
    failure: BadData | None = None
    try:
        for item in read(source, places):
            containers += isinstance(item, Start)
            records += not isinstance(item, Start)
    except BadData as error:
        failure = error
    finally:
        source.close()
    for offset, size, why in places.all:
        fault = {"input": source.name, "offset": offset, "bytes": size, "why": why}
        yield json.dumps(fault) if as_json else f"{source.name}: byte {offset:,}: {size:,} bytes skipped: {why}"
    if as_json:
        yield json.dumps({"input": source.name, "containers": containers, "records": records, "damaged": places.places})
    else:
        found = f"{places.places:,} damaged" if failure else "framing is sound"
        yield f"{source.name}: {many(containers, 'container')}, {many(records, 'block')}, {found}; {NO_CHECKSUM}"
    if failure is not None:
        raise failure


def many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
