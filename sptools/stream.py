"""From endpoints to streams of items, and back. Formats and transports are found by name; nothing here knows one."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from sptools import cut, places, registry, sane, url
from sptools.continuity import Continuity
from sptools.errors import BadData, NoInput, SpError, Usage
from sptools.record import IQ, Item, Rows, Start, nbytes
from sptools.tally import Tally

LINES = ("text", "jsonl", "csv")
COMPONENTS = ("cu8", "ci8", "ci16_le", "cf32_le", "ri16_le", "rf32_le")
NOT_IN_DATAGRAMS = "{0}: {1} is a file with a beginning, not made for datagrams: send avro, jsonl, csv or raw samples"
BINARY_ON_TERMINAL = "will not write binary data to a terminal: name a file with -o, or pipe it on, or take -t"


# ------------------------------------------------------------ in
class Source:
    """The items of several endpoints, one after the other, each opened when its turn comes.

    One that is missing or damaged is reported at the end; the others are read. `live`: what is read now ends only when
    it is stopped (transports/_block). `notes`: what transports and formats counted.
    """

    def __init__(self, texts: Iterable[str]):
        self.endpoints = [url.parse(text) for text in texts]
        for endpoint in self.endpoints[:-1]:
            if endpoint.scheme and getattr(registry.load("transports", endpoint.scheme), "DATAGRAMS", False):
                raise Usage(f"{endpoint} never ends, so what stands behind it would never be read: put it last")
        self.within: Any = None  # the flags of the command line: a cache reads only what they ask for
        self._opened: list[Any] = []  # inputs, and readers that count
        self._input: Any = None
        self._items = self._all()

    def __iter__(self) -> Iterator[Item]:
        return self._items

    def __next__(self) -> Item:
        return next(self._items)

    def close(self) -> None:
        self._items.close()

    @property
    def live(self) -> bool:
        return getattr(self._input, "live", False)

    @property
    def notes(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for thing in self._opened:
            for name, n in getattr(thing, "notes", {}).items():
                found[name] = found.get(name, 0) + n
        return found

    def _all(self) -> Generator[Item, None, None]:
        problem: SpError | None = None
        for endpoint in self.endpoints:
            try:
                yield from self._one(endpoint)
            except (BadData, NoInput) as error:
                problem = problem or error
        if problem is not None:
            raise problem

    @property
    def alone(self) -> bool:
        """One cache and nothing else: then --last is its own affair."""
        return len(self.endpoints) == 1 and is_cache(self.endpoints[0])

    def _one(self, endpoint: url.Endpoint) -> Iterator[Item]:
        if is_cache(endpoint):
            yield from read_cache(endpoint.place, self.within, last=self.alone)
            return
        places.check_input(endpoint)
        name, module, transport = _modules(endpoint, "avro")
        datagrams = getattr(transport, "DATAGRAMS", False)
        function = "read_datagrams" if datagrams and hasattr(module, "read_datagrams") else "read"
        if not hasattr(module, function):
            raise Usage(f"{endpoint}: {name} can only be written")
        keys, where = _keys(endpoint, name, function, "read")
        if datagrams and function == "read" and not _in_datagrams(module):
            raise Usage(NOT_IN_DATAGRAMS.format(endpoint, name))
        self._input = input = transport.read(endpoint.place, **where)
        self._opened.append(input)
        try:
            if datagrams and function == "read":
                input = _datagrams().Stream(input, lines=name in LINES)
            if hasattr(input, "accept"):  # several connections at once
                reader = _merge().Merged(input, lambda one: module.read(one, **keys))
            else:
                reader = getattr(module, function)(input, **keys)
            self._opened.append(reader)
            yield from sane.checked(reader, self._input.name)
        except NoInput:
            if not getattr(self._input, "stopped", False):  # nothing had come when it was
                raise
        finally:
            # the last word of a counter that goes with the socket
            self._opened.remove(self._input)
            self._opened.append(_Kept(getattr(self._input, "notes", {})))
            self._input.close()


class _Kept:
    """Counts of an input that is closed."""

    def __init__(self, notes: dict[str, int]):
        self.notes = dict(notes)


def read(text: str) -> Source:
    """The items of one endpoint."""
    return Source([text])


def read_all(texts: Iterable[str]) -> Source:
    """Several endpoints, one after the other."""
    return Source(texts)


def is_cache(endpoint: url.Endpoint) -> bool:
    """Whether an endpoint names a cache: a path that ends with `/`, or a folder that holds segments."""
    from sptools.cache.layout import is_cache

    return endpoint.is_path and endpoint.format in (None, "avro") and is_cache(endpoint.place)


def read_cache(place: str, common: Any, *, last: bool) -> Iterator[Item]:
    """Of a cache what the flags ask for, by its index. `last`: --last too."""
    from sptools.cache.read import read

    if common is None:
        return read(place)
    return read(place, common.since, common.until, common.last if last else None, common.channel)


class Chosen:
    """Items of a source after --channel, --since and the like. `origin`: that source."""

    def __init__(self, items: Iterator[Item], origin: Iterator[Item]):
        self.items, self.origin = items, origin

    def __iter__(self) -> Iterator[Item]:
        return self.items

    def __next__(self) -> Item:
        return next(self.items)

    def close(self) -> None:
        for items in (self.items, self.origin):
            close = getattr(items, "close", None)
            if close:
                close()


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


def limited(source: Iterator[Item], common: Any, *, one: bool = False) -> Chosen:
    """--channel, --since, --until, --last and --duration over a stream, in this order."""
    if isinstance(source, Source):
        source.within = common
    items = choose(source, common.channel, one=one)
    if common.since is not None or common.until is not None:
        items = cut.between(items, common.since, common.until)
    if common.last is not None and not getattr(source, "alone", False):
        items = cut.last(items, common.last)
    if common.duration is not None:
        items = cut.duration(items, common.duration)
    return Chosen(items, source)


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
def write(text: str, *, default: str = "avro", through: Callable[[Any], Any] | None = None) -> Any:
    """A sink for one endpoint. `default`: the format of a place whose name does not tell; `through`: wraps its output."""
    endpoint = url.parse(text)
    name, module, transport = _modules(endpoint, default)
    datagrams = getattr(transport, "DATAGRAMS", False)
    function = "write_datagrams" if datagrams and hasattr(module, "write_datagrams") else "write"
    if not hasattr(module, function):
        raise Usage(f"{text}: {name} can only be read")
    keys, where = _keys(endpoint, name, function, "write")
    if endpoint.place == "-" and name not in LINES and os.isatty(1):
        raise Usage(BINARY_ON_TERMINAL)
    if datagrams and function == "write" and not _in_datagrams(module):
        raise Usage(NOT_IN_DATAGRAMS.format(endpoint, name))
    output = transport.write(endpoint.place, **where)
    if through:
        output = through(output)
    if datagrams and function == "write":
        output = _datagrams().Pieces(output, lines=name in LINES)
    try:
        return getattr(module, function)(output, **keys)
    except BaseException:
        output.close(False)
        raise


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


# ------------------------------------------------------------ both
def _modules(endpoint: url.Endpoint, default: str) -> tuple[str, Any, Any]:
    """The format's name and module, and the transport's."""
    name = endpoint.format or (registry.format_of(endpoint.place) if endpoint.scheme in (None, "file") else None) or default
    return name, registry.load("formats", name), registry.load("transports", endpoint.scheme or "file")


def _keys(endpoint: url.Endpoint, name: str, function: str, way: str) -> list[dict[str, Any]]:
    """The endpoint's keys: the format's, the transport's."""
    scheme = endpoint.scheme or "file"
    who = f"{name} over {scheme}" if endpoint.scheme else name
    ours, where = registry.describe("formats", name, function), registry.describe("transports", scheme, way)
    return url.split_keys(endpoint, who, ours, where)


def _in_datagrams(module: Any) -> bool:
    """Whether a format that knows only bytes makes sense in datagrams: lines, and raw samples without a header."""
    name = module.__name__.rpartition(".")[2]
    return name in LINES or name in COMPONENTS


def _merge() -> Any:
    from sptools import merge

    return merge


def _datagrams() -> Any:
    from sptools.transports import _datagrams

    return _datagrams
