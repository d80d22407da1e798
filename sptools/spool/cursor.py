"""Reads a spool in order, from the first block that is not acknowledged on, while it is being filled."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sptools.formats.avro import container, varint
from sptools.formats.avro.container import MAGIC, MARKER
from sptools.formats.avro.window import Window
from sptools.spool.blocks import Entry, Follow

if TYPE_CHECKING:
    from sptools.spool.store import Spool

AHEAD = 256 << 10  # bytes that the cursor reads at once


class Cursor:
    """Reads the spool from the first block that is not acknowledged. `take` gives bytes to send and whose they are."""

    def __init__(self, spool: Spool):
        self.spool = spool
        self.follow: Follow | None = None
        self.fd = -1
        self.offset = 0
        self.fresh = True  # the next block needs a header first
        with spool.changed:
            self.start_at = spool.position

    def take(self, most: int = AHEAD) -> tuple[list[bytes | memoryview], list[Entry]]:
        """Whole blocks, headers before them where they belong; nothing: there are no more now."""
        pieces: list[bytes | memoryview] = []
        entries: list[Entry] = []
        with self.spool.changed:  # nobody may drop what is being taken
            while not entries and (end := self._segment()) is not None:
                self._read(end, most, pieces, entries)
            if entries:
                self.spool.sent = entries[-1].segment, entries[-1].end
        return pieces, entries

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _segment(self) -> int | None:
        """The end of what may be read of the segment in hand; goes on to the next one. None: nothing more now."""
        segments = self.spool.segments
        now = self.follow.segment if self.follow else -1
        for segment in segments:
            if segment.number == now and self.offset < segment.size:
                return segment.size
            if segment.number > now and segment.size and segment.number >= self.start_at[0]:
                self.close()
                self.fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
                self.follow, self.offset, self.fresh = Follow(segment.number), 0, True
                return segment.size
        return None

    def _read(self, end: int, most: int, pieces: list[bytes | memoryview], entries: list[Entry]) -> None:
        follow = self.follow
        assert follow is not None
        skip = self.start_at[1] if self.start_at[0] == follow.segment else 0
        data = memoryview(os.pread(self.fd, min(most, end - self.offset), self.offset))
        at = run = 0  # data[run:at] goes out as it is
        while at < len(data):
            if data[at : at + 4] == MAGIC:
                pieces.append(data[run:at])
                window = Window(_Part(self.fd, self.offset + at))
                follow.head(container.parse(window))
                at = run = at + window.pos
                self.fresh = True
                continue
            try:
                count, body = varint.decode(data, at)
                size, body = varint.decode(data, body)
            except IndexError:
                break
            stop = body + size + MARKER
            if stop > len(data):
                if at:
                    break
                data = memoryview(os.pread(self.fd, stop, self.offset))  # longer than what is usually read
            entry = follow.block(self.offset + stop, count)
            if entry.end <= skip:
                run = stop
            else:
                if self.fresh:
                    pieces += data[run:at], self._header(follow, entry)
                    run = at
                entries.append(entry)
            at = stop
        pieces.append(data[run:at])
        self.offset += at

    def _header(self, follow: Follow, entry: Entry) -> bytes:
        """The container's header as it is now: its first block is this one, and what is missing before it is told."""
        assert follow.header is not None
        self.fresh = False
        header, spool = follow.header, self.spool
        start = container.start_of(header)
        place = entry.key, entry.number
        missing = spool.holes.pop(entry.key, 0) + spool.gaps.get(place, (0, 0))[1]
        if missing:  # told again if this connection breaks
            spool.gaps[place] = entry.segment, missing
        start.lost = entry.lost + missing
        return container.encode(header.schema, header.codec, header.marker, container.meta_of(start, entry.number))


class _Part:
    """A file from an offset on, for who parses a header."""

    def __init__(self, fd: int, offset: int):
        self.fd, self.offset, self.name = fd, offset, "the spool"

    def readinto(self, view: memoryview) -> int:
        got = os.preadv(self.fd, [view], self.offset)
        self.offset += got
        return got
