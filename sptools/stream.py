"""From endpoints to streams of items, and back. Formats and transports are found by name; nothing here knows one."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Iterator
from typing import Any

from sptools import cut, places, registry, sane, url
from sptools.continuity import Continuity
from sptools.errors import BadData, NoInput, SpError, Usage
from sptools.record import IQ, Item, Rows, Start, nbytes
from sptools.tally import Tally

BINARY_ON_TERMINAL = "will not write binary data to a terminal: name a file with -o, or pipe it on, or take -t"


# ------------------------------------------------------------ in
def read(text: str) -> Iterator[Item]:
    """The items of one endpoint."""
    endpoint = url.parse(text)
    places.check_input(endpoint)
    name = endpoint.format or registry.format_of(endpoint.place) or "avro"
    module = registry.load("formats", name)
    if not hasattr(module, "read"):
        raise Usage(f"{text}: {name} can only be written")
    keys = url.keys_for(endpoint, registry.describe("formats", name, "read"))
    transport = registry.load("transports", endpoint.scheme or "file")
    source = transport.Input(endpoint.place)
    try:
        yield from sane.checked(module.read(source, **keys), source.name)
    finally:
        source.close()


def read_all(texts: Iterable[str]) -> Iterator[Item]:
    """Several endpoints, one after the other. One that is missing or damaged is reported at the end; the others are read."""
    problem: SpError | None = None
    for text in texts:
        try:
            yield from read(text)
        except (BadData, NoInput) as error:
            problem = problem or error
    if problem is not None:
        raise problem


def choose(items: Iterable[Item], names: Iterable[str], *, one: bool) -> Iterator[Item]:
    """Keeps the channels that match a name of `names` (globs). `one`: several channels and none named is a usage error."""
    wanted, seen, keep = list(names), [], True
    for item in items:
        if isinstance(item, Start):
            keep = not wanted or any(fnmatch.fnmatchcase(item.channel, glob) for glob in wanted)
            if item.channel not in seen:
                seen.append(item.channel)
                kept = [c for c in seen if not wanted or any(fnmatch.fnmatchcase(c, g) for g in wanted)]
                if one and len(kept) > 1:
                    raise Usage(f"the input holds the channels {', '.join(kept)}: choose one with --channel")
        if keep:
            yield item
    if wanted and seen and not any(fnmatch.fnmatchcase(c, g) for c in seen for g in wanted):
        raise NoInput(f"no channel matches {' '.join(wanted)}: the input holds {', '.join(c or '(unnamed)' for c in seen)}")


def limited(items: Iterator[Item], common: Any, *, one: bool = False) -> Iterator[Item]:
    """--channel, --since, --until, --last and --duration over a stream, in this order."""
    items = choose(items, common.channel, one=one)
    if common.since is not None or common.until is not None:
        items = cut.between(items, common.since, common.until)
    if common.last is not None:
        items = cut.last(items, common.last)
    if common.duration is not None:
        items = cut.duration(items, common.duration)
    return items


class Counted:
    """Counts what passes: samples or records, losses by channel."""

    def __init__(self, items: Iterator[Item], tally: Tally, way: str = "in"):
        self.items, self.tally, self.way = items, tally, way
        self.follow: dict[str, Continuity] = {}
        self.channel = ""

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        item = next(self.items)
        self.count(item)
        return item

    def close(self) -> None:
        close = getattr(self.items, "close", None)
        if close:
            close()

    def count(self, item: Item) -> None:
        if isinstance(item, Start):
            self.channel = item.channel
        follow = self.follow.setdefault(self.channel, Continuity())
        verdict, lost = follow.see(item)
        if verdict == "gap" and follow.retuned and isinstance(item, IQ):
            self.tally.add("skipped", lost)  # by sp-capture --sweep, while the tuner settled
        elif verdict == "gap":
            self.tally.add("gaps")
            self.tally.add("lost_rows" if isinstance(item, Start) and item.name not in ("IQ", "Audio") else "lost", lost)
        if isinstance(item, IQ):
            self.tally.add(f"samples_{self.way}", item.count)
            self.tally.add(f"bytes_{self.way}", nbytes(item.data))
        elif isinstance(item, Rows):
            self.tally.add(f"rows_{self.way}", item.count)
        elif not isinstance(item, Start):
            self.tally.add(f"records_{self.way}")


# ------------------------------------------------------------ out
def write(text: str, *, default: str = "avro") -> Any:
    """A sink for one endpoint; `default`: the format of a place whose name does not tell."""
    endpoint = url.parse(text)
    name = endpoint.format or registry.format_of(endpoint.place) or default
    module = registry.load("formats", name)
    if not hasattr(module, "write"):
        raise Usage(f"{text}: {name} can only be read")
    keys = url.keys_for(endpoint, registry.describe("formats", name, "write"))
    if endpoint.place == "-" and name not in ("text", "jsonl", "csv") and os.isatty(1):
        raise Usage(BINARY_ON_TERMINAL)
    transport = registry.load("transports", endpoint.scheme or "file")
    return module.write(transport.Output(endpoint.place), **keys)


def outputs(common: Any, inputs: Iterable[str] = ()) -> list[Any]:
    """The sinks that -o, -t and -j ask for: stdout if nothing else is said, in Avro, or in text on a terminal.

    `inputs`: what the command reads; none of it may be written over.
    """
    wanted = list(common.output)
    if common.text and common.json:
        raise Usage("-t and -j: choose one")
    plain = "text" if common.text else "jsonl" if common.json else None
    if (plain and "-" not in wanted) or not wanted:
        wanted.append("-")
    places.check_outputs(wanted, inputs)
    plain = plain or ("text" if os.isatty(1) else "avro")
    sinks: list[Any] = []
    try:
        for place in wanted:
            sinks.append(write(place, default=plain if place == "-" else "avro"))
    except BaseException:
        for sink in sinks:
            sink.close(False)
        raise
    return sinks
