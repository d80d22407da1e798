"""Retention: what is too old, or too much, goes, the oldest first. Tagged and open segments stay."""

from __future__ import annotations

import fnmatch
import os
import time
from collections.abc import Mapping
from typing import NamedTuple

from sptools.cache import layout

JUMP_s = 60.0  # a wall clock that is further off the monotonic one than this has jumped
SHARE = 0.1  # of the segments whose age is then doubtful, so many may go by age in a minute


class Rules(NamedTuple):
    """`age` in seconds since a segment was closed, `quota` in bytes. None: no bound."""

    age: float | None = None
    quota: int | None = None


class Held(NamedTuple):
    """A segment on the disk. `time`: ns UTC of its last write, by the clock of this machine."""

    segment: layout.Segment
    size: int
    time: int
    protected: bool  # open or tagged


class Keeper:
    """Sweeps a cache by rules for all of it and for channels: glob → Rules, the first that matches, in place of `age`
    and with a quota of its own for each channel.

    Age goes by the wall clock. After a jump of it (or a pause that might hide one: the newest segment is more than a
    minute old at the first sweep) the segments that were there before may go by age only slowly, a tenth a minute; what
    comes later is judged by the new clock alone. The bounds in bytes hold always.
    """

    def __init__(
        self,
        cache: str,
        *,
        age: float | None = None,
        quota: int | None = None,
        min_free: int | None = None,
        channels: Mapping[str, Rules] | None = None,
    ):
        self.cache, self.rules, self.min_free = cache, Rules(age, quota), min_free
        self.channels = dict(channels or {})
        self.removed = 0
        self._clocks: tuple[int, float] | None = None
        self._doubtful: set[str] = set()
        self._allowed = 0.0  # doubtful segments that may go by now
        self._share = 0.0  # and how many more a second

    def sweep(self, wall: int | None = None, monotonic: float | None = None) -> list[str]:
        """Deletes what the rules no longer allow; the paths that went."""
        wall = time.time_ns() if wall is None else wall
        monotonic = time.monotonic() if monotonic is None else monotonic
        held = holdings(self.cache)
        self._doubt(held, wall, monotonic)
        gone = [h for h in held if not h.protected and self._too_old(h, wall)]
        kept = _without(held, gone)
        for rules in self.channels.values():
            if rules.quota is not None:
                for channel in sorted({h.segment.channel for h in kept if self._of(h.segment.channel) is rules}):
                    gone += _over([h for h in kept if h.segment.channel == channel], rules.quota)
        kept = _without(held, gone)
        if self.rules.quota is not None:
            gone += _over(kept, self.rules.quota)
        if self.min_free is not None:
            kept = _without(held, gone)
            free = _free(self.cache) + sum(h.size for h in gone)
            gone += _over(kept, sum(h.size for h in kept) - (self.min_free - free)) if free < self.min_free else []
        paths = [h.segment.path for h in gone if _delete(h.segment)]
        self.removed += len(paths)
        return paths

    def _of(self, channel: str) -> Rules:
        for glob, rules in self.channels.items():
            if fnmatch.fnmatchcase(channel, glob):
                return rules
        return self.rules

    def _too_old(self, h: Held, wall: int) -> bool:
        age = self._of(h.segment.channel).age
        if age is None or wall - h.time <= age * 1e9:
            return False
        if h.segment.path in self._doubtful:
            if self._allowed < 1:
                return False
            self._allowed -= 1
        return True

    def _doubt(self, held: list[Held], wall: int, monotonic: float) -> None:
        """Has the wall clock jumped since the last sweep? Then the segments that are there were dated by another one."""
        if self._clocks is None:
            newest = max((h.time for h in held), default=wall)
            jumped, passed = abs(wall - newest) > JUMP_s * 1e9, 0.0
        else:
            passed = monotonic - self._clocks[1]
            jumped = abs((wall - self._clocks[0]) / 1e9 - passed) > JUMP_s
        self._clocks = wall, monotonic
        if jumped:
            self._doubtful = {h.segment.path for h in held if not h.segment.open}
            self._share, self._allowed = SHARE * len(self._doubtful) / 60, 0.0
        elif self._doubtful:
            self._doubtful &= {h.segment.path for h in held}
            self._allowed = min(self._allowed + passed * self._share, max(1.0, 60 * self._share))


def holdings(cache: str) -> list[Held]:
    """All segments with their sizes, the oldest first."""
    tagged = {_identity(s.path) for s in layout.segments(os.path.join(cache, layout.TAGS))}
    found = []
    for segment in layout.segments(cache):
        try:
            status = os.stat(segment.path)
        except FileNotFoundError:
            continue  # just closed: the next sweep sees it
        try:
            index = os.stat(segment.index_path).st_size
        except FileNotFoundError:
            index = 0
        protected = segment.open or (status.st_dev, status.st_ino) in tagged
        found.append(Held(segment, status.st_size + index, status.st_mtime_ns, protected))
    found.sort(key=lambda h: (h.time, h.segment))
    return found


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _over(held: list[Held], quota: int) -> list[Held]:
    """The oldest of `held` that have to go, so that at most `quota` bytes stay."""
    size, gone = sum(h.size for h in held), []
    for h in held:
        if size <= quota:
            break
        if not h.protected:
            gone.append(h)
            size -= h.size
    return gone


def _without(held: list[Held], gone: list[Held]) -> list[Held]:
    paths = {h.segment.path for h in gone}
    return [h for h in held if h.segment.path not in paths]


def _free(folder: str) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _delete(segment: layout.Segment) -> bool:
    """The segment first: an index alone is swept by recovery."""
    try:
        os.unlink(segment.path)
    except FileNotFoundError:
        return False
    try:
        os.unlink(segment.index_path)
    except FileNotFoundError:
        pass
    return True
