"""Where things lie in a cache: the folders of channels, the names of segments."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from sptools.errors import BadData

SEGMENT, PART, INDEX, TAGS = ".avro", ".avro.part", ".idx", "tags"
WORD = "[A-Za-z0-9][A-Za-z0-9_-]{0,62}"
# one to four names; behind them what a relay adds: a second boot that is live at the same time, a bin for refuse
CHANNEL = re.compile(rf"{WORD}(/{WORD}){{0,3}}(~[0-9a-f]{{16}})?(\.[a-z]{{1,16}})?")
DEEPEST = 6  # folders: tags/<name>/ and the four words of a channel
STEM = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{9})Z")
SECOND = 1_000_000_000


class Segment(NamedTuple):
    """One segment of `channel` (its folder below the cache), closed or `open`."""

    channel: str
    stem: str
    folder: str
    open: bool

    @property
    def path(self) -> str:
        return os.path.join(self.folder, self.stem + (PART if self.open else SEGMENT))

    @property
    def index_path(self) -> str:
        return os.path.join(self.folder, self.stem + INDEX)


def stem(ns: int) -> str:
    """The name of a segment that begins at `ns` UTC (before 1970: at 1970). Names sort as their times do."""
    seconds, part = divmod(max(0, ns), SECOND)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{part:09}Z"


def folder_of(cache: str, channel: str) -> str:
    """The folder of a channel. A name may come from the network: what could leave the cache is refused."""
    if not CHANNEL.fullmatch(channel) or channel.split("/")[0] == TAGS:
        raise BadData(
            f"{channel[:80]!r} cannot be a channel of a cache: a name is one to four words of letters, digits, _ and -, "
            f"joined by /, the first not {TAGS!r}"
        )
    return os.path.join(cache, channel)


def segments(cache: str, *, tags: bool = False) -> list[Segment]:
    """All segments below a folder, those of a channel in the order of their names. `tags`: look below tags/ too."""
    found = list(_walk(cache, "", tags))
    found.sort()
    return found


def _walk(folder: str, channel: str, tags: bool) -> Iterator[Segment]:
    """A folder that is no cache may be the root of the disk: no deeper than a channel goes, and only where names fit."""
    below = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name.endswith(SEGMENT) and STEM.fullmatch(name[: -len(SEGMENT)]):
                    yield Segment(channel, name[: -len(SEGMENT)], folder, False)
                elif name.endswith(PART) and STEM.fullmatch(name[: -len(PART)]):
                    yield Segment(channel, name[: -len(PART)], folder, True)
                elif (tags or channel or name != TAGS) and entry.is_dir(follow_symlinks=False):
                    below.append(name)
    except OSError:  # gone meanwhile, or not for us
        return
    if channel.count("/") + 1 >= DEEPEST:
        return
    for name in below:
        yield from _walk(os.path.join(folder, name), f"{channel}/{name}" if channel else name, tags)


def is_cache(place: str) -> bool:
    """Whether a path is a cache: it ends with `/`, or it is a folder that holds segments."""
    if os.path.realpath(place) == "/":  # nobody's cache, and long to look through
        return False
    return place.endswith("/") or (os.path.isdir(place) and next(_walk(place, "", False), None) is not None)


def sync(folder: str) -> None:
    """Makes the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
