"""A bounded disk spool: blocks wait here, in order, until the peer has acknowledged them; also over a restart.

    DIR/<n>.avro    containers one after another, which any of our tools reads
    DIR/acked       the place up to which all is acknowledged, and whether the peer has ever answered
    DIR/lock

A block that `block()` returned for survives the death of this process (kill -9): it is in the kernel. Over a crash of the
machine it survives once it is a second old or 8 MiB have followed it: then comes fdatasync.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from sptools import errors, log
from sptools.spool.blocks import Entry, Key, Segment, entries_of
from sptools.transports._stream import guard

WHEN_FULL = ("block", "drop-oldest", "drop-newest")
SEGMENT = 16 << 20
SHARE = 8  # a segment is at most that part of the bound
SYNC_s, SYNC = 1.0, 8 << 20


class Spool:
    """Filled by one thread (`begin`, `block`), emptied by another (`cursor`, `acked`)."""

    path = None

    def __init__(self, folder: str, limit: int, when_full: str = "block"):
        self.folder, self.limit, self.when_full = folder, limit, when_full
        self.name = f"the spool {folder}"
        self.notes: dict[str, int] = {"spool_dropped": 0, "spool_dropped_rows": 0}
        self.changed = threading.Condition()
        self.wake: Callable[[], None] = lambda: None  # tells the courier that there is more
        self.answers = False  # the peer is one that acknowledges
        self.closed = False  # nothing more will come
        self.problem: errors.SpError | None = None  # nobody carries it away any more
        self.holes: dict[Key, int] = {}  # rows dropped out of the middle, which the next header of that channel tells
        self.gaps: dict[tuple[Key, int], tuple[int, int]] = {}  # (segment, rows) that the header before a block tells
        self._make: Callable[[int, int], bytes] | None = None
        self._headed = False  # the segment in hand has this container's header
        self._lost = 0  # to be told by the next header that is written
        self._fd = -1
        self._unsynced, self._synced = 0, time.monotonic()
        self.segments: list[Segment] = []
        self.position = self.sent = (0, 0)  # segment and offset: acknowledged, taken by the cursor
        self._lock = _take(folder)
        self._state = os.open(os.path.join(folder, "acked"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._recover()

    # ------------------------------------------------------------ filling
    def begin(self, key: Key, make: Callable[[int, int], bytes], first: int, lost: int) -> None:
        self._make, self._headed, self._lost = make, False, lost
        self._header = len(make(first, lost)) + 20

    def block(self, number: int, rows: int, *buffers: Any) -> None:
        """Appends one block. Waits where the spool is full and `block` was asked for."""
        assert self._make is not None
        size = sum(b.nbytes if hasattr(b, "nbytes") else len(b) for b in buffers)
        need = self._header + size
        if need > self.limit:
            raise errors.BadConfig(f"{self.name}: a block of {need:,} bytes is larger than all of it: raise --spool-max")
        if not self._room(need):
            self.notes["spool_dropped"] += 1
            self.notes["spool_dropped_rows"] += rows
            self._headed, self._lost = False, self._lost + rows
            return
        with self.changed:
            last = self.segments[-1] if self.segments else None
            if last is None or self._fd < 0 or (last.size and last.size + need > self.part):
                last = self._next_segment()
                self._headed = False
        header = b"" if self._headed else self._make(number, self._lost)
        self._append(last, [header, *buffers])
        self._headed, self._lost = True, 0
        if self.problem:  # after the block is safe
            raise self.problem

    def write(self, *buffers: Any) -> None:
        raise errors.Usage(f"{self.name} holds Avro only: a spool is for endpoints without another format")

    def close(self, ok: bool = True) -> None:
        """Nothing more will come. What is in it stays until it is acknowledged."""
        self.sync()
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self.wake()

    def sync(self) -> None:
        with self.changed:
            if self._fd < 0 or not self._unsynced:
                return
            self._unsynced, self._synced = 0, time.monotonic()
            fd = os.dup(self._fd)  # the other thread may go on to the next segment meanwhile
        try:
            os.fdatasync(fd)
        except OSError as e:
            raise errors.IOFailure(f"{self.name}: {e.strerror}") from e
        finally:
            os.close(fd)

    def tick(self) -> None:
        """Called now and then by whoever has time: keeps the promise of a second."""
        if self._unsynced and time.monotonic() - self._synced > SYNC_s:
            self.sync()

    @property
    def part(self) -> int:
        return min(SEGMENT, max(1, self.limit // SHARE))

    @property
    def held(self) -> int:
        """Bytes on the disk."""
        return sum(s.size for s in self.segments)

    def _append(self, segment: Segment, buffers: list) -> None:
        views = [memoryview(b).cast("B") for b in buffers if len(b)]
        total = sum(map(len, views))
        try:
            done = os.writev(self._fd, views)
            while done < total:
                rest = memoryview(b"".join(views))[done:]
                done += os.write(self._fd, rest)
        except OSError as e:
            os.ftruncate(self._fd, segment.size)  # a half block would hide those that follow
            os.lseek(self._fd, segment.size, os.SEEK_SET)
            raise errors.IOFailure(f"{self.name}: {e.strerror}") from e
        self._unsynced += total
        if self._unsynced >= SYNC:
            self.sync()
        with self.changed:
            segment.size += total
        self.wake()

    def _room(self, need: int) -> bool:
        """Makes room, or waits for it; False: this block is the one that goes."""
        with self.changed:
            if self.held + need <= self.limit:
                return True
            self._retire()
        while True:
            with self.changed:
                if self.held + need <= self.limit:
                    return True
                if self.when_full == "drop-newest":
                    return False
                if self.when_full == "drop-oldest":
                    self._drop_oldest()
                    continue
            with guard(), self.changed:
                self.changed.wait(0.5)
            with self.changed:
                self._retire()
            if self.problem:
                raise self.problem

    def _drop_oldest(self) -> None:
        """The oldest segment goes. What of it was sent is on its way; the rest is lost and counted."""
        oldest = self.segments[0]
        begin = self.position[1] if self.position[0] == oldest.number else 0
        sent = self.sent[1] if self.sent[0] == oldest.number else oldest.size if self.sent[0] > oldest.number else 0
        for entry in entries_of(oldest, max(begin, sent)):
            self.forget(entry)
        self._remove(oldest)

    def forget(self, entry: Entry) -> None:
        """A block is gone for good: the next header of its channel says so."""
        self.notes["spool_dropped"] += 1
        self.notes["spool_dropped_rows"] += entry.rows
        self.holes[entry.key] = self.holes.get(entry.key, 0) + entry.rows + entry.lost

    def _next_segment(self) -> Segment:
        if self._fd >= 0:
            self.sync()
            os.close(self._fd)
        self.last += 1
        segment = Segment(self.folder, self.last)
        try:
            self._fd = os.open(segment.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        except OSError as e:
            self._fd = -1
            raise errors.CannotCreate(f"{segment.path} cannot be made: {e.strerror}") from e
        self.segments.append(segment)
        return segment

    # ------------------------------------------------------------ emptying
    @property
    def empty(self) -> bool:
        """All that is in it is acknowledged."""
        with self.changed:
            return not self.segments or self.position >= (self.segments[-1].number, self.segments[-1].size)

    @property
    def waiting(self) -> int:
        """Bytes that are not acknowledged."""
        with self.changed:
            number, offset = self.position
            return sum(s.size - (offset if s.number == number else 0) for s in self.segments if s.number >= number)

    def acked(self, segment: int, offset: int) -> None:
        """All before this place is durable at the peer."""
        with self.changed:
            if (segment, offset) <= self.position:
                return
            self.position = (segment, offset)
            self._note()
            while len(self.segments) > 1 and self._done(self.segments[0]):
                self._remove(self.segments[0])
            self.changed.notify_all()

    def answered(self) -> None:
        """The peer is one that acknowledges; that is remembered."""
        if not self.answers:
            self.answers = True
            self._note()

    def abandon(self, problem: errors.SpError | None) -> None:
        """Nobody empties it any more; who waits for room shall know."""
        with self.changed:
            self.problem = problem
            self.changed.notify_all()

    def has(self, segment: int) -> bool:
        return any(s.number == segment for s in self.segments)

    def release(self) -> None:
        """This process is done with it. Where all is acknowledged nothing stays but the folder."""
        with self.changed:
            for segment in list(self.segments):
                if self._done(segment):
                    self._remove(segment)
            for fd in (self._fd, self._state, self._lock):
                if fd >= 0:
                    os.close(fd)
            self._fd = self._state = self._lock = -1

    def _done(self, segment: Segment) -> bool:
        return self.position >= (segment.number, segment.size)

    def _retire(self) -> None:
        """The last segment, when all of it is acknowledged: only a full spool asks for it."""
        if len(self.segments) == 1 and self.segments[0].size and self._done(self.segments[0]):
            self._remove(self.segments[0])

    def _remove(self, segment: Segment) -> None:
        if segment is self.segments[-1] and self._fd >= 0:
            os.close(self._fd)
            self._fd, self._headed, self._unsynced = -1, False, 0
        self.segments.remove(segment)
        self.gaps = {place: gap for place, gap in self.gaps.items() if gap[0] != segment.number}
        try:
            os.unlink(segment.path)
        except FileNotFoundError:
            pass

    def _note(self) -> None:
        os.pwrite(self._state, b"%012d %020d %d\n" % (*self.position, self.answers), 0)

    # ------------------------------------------------------------ beginning
    def _recover(self) -> None:
        """Takes up what an earlier process left: whole blocks stay, the tail that it was writing is cut."""
        for name in sorted(os.listdir(self.folder)):
            stem, suffix = os.path.splitext(name)
            if suffix == ".avro" and stem.isdigit():
                path = os.path.join(self.folder, name)
                self.segments.append(Segment(self.folder, int(stem), os.path.getsize(path)))
        words = os.pread(self._state, 64, 0).split()
        if len(words) == 3 and all(w.isdigit() for w in words):
            self.position, self.answers = (int(words[0]), int(words[1])), words[2] == b"1"
        self.last = max([self.position[0], *(s.number for s in self.segments)])
        if self.segments:
            self._cut_tail(self.segments[-1])
        for segment in list(self.segments):
            if self._done(segment):
                self._remove(segment)
        self.sent = self.position
        if self.held:
            log.notice(f"{self.name} holds {self.held:,} bytes of an earlier run: they go first")

    def _cut_tail(self, segment: Segment) -> None:
        end = 0
        for entry in entries_of(segment, 0):
            end = entry.end
        if end < segment.size:
            os.truncate(segment.path, end)
            log.notice(f"{segment.path}: the last {segment.size - end:,} bytes were no whole block and are cut off")
            segment.size = end
        if not end:
            self._remove(segment)


def _take(folder: str) -> int:
    """The lock of the folder: two processes would mix their blocks."""
    try:
        os.makedirs(folder, exist_ok=True)
        fd = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except PermissionError as e:
        raise errors.NoPermission(f"the spool {folder} may not be written: {e.strerror}") from e
    except OSError as e:
        raise errors.CannotCreate(f"the spool {folder} cannot be made: {e.strerror}") from e
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        os.close(fd)
        raise errors.CannotCreate(f"the spool {folder} is in use by another process: each needs one of its own") from e
    return fd
