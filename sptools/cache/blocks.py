"""The records of a segment, read through its index: each block is held against its checksum before anybody sees it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sptools import codecs, errors
from sptools.cache import index, layout, mend
from sptools.cache.index import CRC, LOST, OFFSET, SIZE, Index
from sptools.formats.avro import container
from sptools.formats.avro import schema as schemas
from sptools.formats.avro.reader import NUMBERED, Faults
from sptools.formats.avro.reader import read as read_containers
from sptools.record import Item, Start
from sptools.transports.file import Input

END = (1 << 63) - 1


class Part(NamedTuple):
    """Blocks `first` up to `last` of a segment. `begin`: ns UTC of the first of them, where it is known."""

    begin: int
    segment: layout.Segment
    first: int
    last: int


class Damage(Faults):
    """Damaged places of a whole cache: each one's reason names the segment that it lies in."""

    where = ""

    def add(self, offset: int, size: int, blocks: int, why: str) -> None:
        super().add(offset, size, blocks, f"{self.where}: {why}")


def blocks(part: Part, damage: Faults) -> Iterator[Item]:
    """The records of one part, each block held against its checksum first."""
    segment = part.segment
    if isinstance(damage, Damage):
        damage.where = segment.path
    path = segment.path
    if segment.open and not os.path.exists(path):
        segment = segment._replace(open=False)  # it was closed meanwhile
        path = segment.path
    told = index.load(segment.index_path)
    if told is None or not told.header:
        yield from _unindexed(path, damage)
        return
    source = Source(path, told, part, damage, segment.open)
    try:
        yield from read_containers(source, damage)
    except errors.BadData:
        if not damage.places:  # else told at the end
            raise
    finally:
        source.close()


def _unindexed(path: str, damage: Faults) -> Iterator[Item]:
    if not os.path.exists(path):
        raise FileNotFoundError(path)
    source = Input(path)
    try:
        yield from read_containers(source, damage)
    except errors.BadData as error:
        if not damage.places:
            damage.add(0, 0, 1, str(error))
    finally:
        source.close()


class Source:
    """A segment's sound blocks as a byte stream. After a loss a new header says how much is missing."""

    def __init__(self, path: str, told: Index, part: Part, damage: Faults, open_: bool):
        self.name = path
        header = index.parse(told.header)
        if header is None:
            raise errors.BadData(f"{path}: its index holds a header that is none")
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._pieces = self._generate(header, told, part, damage, open_)
        self._rest = memoryview(b"")

    def readinto(self, view: memoryview) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        n = min(len(view), len(self._rest))
        view[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _generate(
        self, header: container.Header, told: Index, part: Part, damage: Faults, open_: bool
    ) -> Iterator[bytes | bytearray]:
        fd, size = self._fd, os.fstat(self._fd).st_size
        if os.pread(fd, len(told.header), 0) != told.header:
            damage.add(0, len(told.header), 0, "the header is damaged; its copy in the index was used")
        rows, _ = mend.complete(told, fd, header)
        start = container.start_of(header)
        numbered = schemas.which_built_in(header.schema)[0] in NUMBERED
        # a loss leaves a hole in the numbers, except where `sample` shows it; the header tells of the one before it
        holes = np.zeros(len(rows), np.int64) if numbered else np.cumsum(rows[:, LOST]) - rows[:1, LOST].sum()
        first, stop = part.first, min(part.last, len(rows))
        yield self._header(header, start, start.first + first + int(holes[first]) if stop else 0, start.lost if not first else 0)
        missing = at = 0
        for k in range(first, stop):
            offset, length = int(rows[k, OFFSET]), int(rows[k, SIZE])
            if at and offset > at:
                damage.add(at, offset - at, 0, "bytes that are no block")
            at = offset + length
            block = os.pread(fd, length, offset) if at <= size else b""
            if not block and open_:
                return  # its row stands there already, the block is being written
            if len(block) < length:
                damage.add(offset, max(0, size - offset), 1, "the segment ends inside a block")
                missing += 1
                continue
            if codecs.crc32(block) != rows[k, CRC]:
                if open_ and k == len(rows) - 1:
                    return
                damage.add(offset, length, 1, "a block's checksum differs")
                missing += 1
                continue
            lost = missing + (int(rows[k, LOST]) if k > first else 0)
            if lost and not numbered:
                yield self._header(header, start, start.first + k + int(holes[k]), lost)
            missing = 0
            yield block
        if stop == len(rows) and not open_ and (at or header.size) < size:
            damage.add(at or header.size, size - (at or header.size), 0, "bytes behind the last block")

    def _header(self, header: container.Header, start: Start, first: int, lost: int) -> bytes:
        again = replace(start, first=first, lost=lost)
        return container.encode(header.schema, header.codec, header.marker, container.meta_of(again, first))
