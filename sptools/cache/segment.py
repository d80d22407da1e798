"""Writes one channel of a cache: blocks go undecoded into segments, which are rotated by size and time."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sptools import codecs, errors, limits, record
from sptools.cache import layout, mend
from sptools.cache.file import File
from sptools.formats.avro import container, encode, varint
from sptools.formats.avro import schema as schemas
from sptools.formats.avro.reader import NUMBERED

IOV = 1000  # buffers of one writev; Linux takes 1024
Body = bytes | bytearray | memoryview | Sequence[Any]


class Channel:
    """The writer of one channel of one source.

    `number` is that of the next block: it goes on over rotations, and where rows were lost it leaves a hole as wide, so
    that a reader of plain containers sees a gap too. Blocks before `durable` are on the disk. `closed` lists the
    segments that were finished, for who wants to know. After an IOFailure the segment at hand is given up; the next block
    begins another one, whose beginning shows the loss.
    """

    def __init__(
        self,
        cache: str,
        start: record.Start,
        *,
        rotate_size: int = 64_000_000,
        rotate_time: float = 3600.0,
        codec: str = "null",
        sync: float = 1.0,
    ):
        if not codecs.known(codec):
            raise errors.Usage(f"codec {codec!r} is not known: use one of {', '.join(codecs.NAMES)}")
        self.folder = layout.folder_of(cache, start.channel)
        self.rotate_size, self.rotate_time, self.codec, self.sync_s = rotate_size, rotate_time, codec, sync
        self.closed: list[str] = []
        self._file: File | None = None
        self._samples = encode.Samples()
        self._gathered, self._rows, self._first, self._arrival = bytearray(), 0, 0, 0
        self._lost = self._seen = self.number = 0
        self._take(start)

    def begin(self, start: record.Start) -> None:
        """What comes next belongs to this header: another boot or schema begins a segment, a loss is noted."""
        self.flush()
        same = start.boot == self.start.boot and start.schema == self.start.schema and start.first >= self._seen
        if not same or not start.boot:
            self._finish()
            self._take(start)
            return
        if not self._numbered:
            self._lost += max(start.lost, start.first - self._seen)
        self._seen = start.first

    def append(
        self,
        body: Body,
        count: int,
        first_time: int = 0,
        arrival: int = 0,
        lost: int = 0,
        *,
        last_arrival: int | None = None,
        frames: int = 1,
    ) -> None:
        """A block of `count` records, whose encoding is `body`: bytes, or several buffers of bytes.

        `first_time`: of the first record, ns UTC, 0 if it has none. `arrival` (and `last_arrival`) when its first and
        last frame came. `lost`: frames of this channel lost just before it. `frames`: how many it is made of; so
        many more are lost where it cannot be written.
        """
        if self._rows:
            self.flush()
        self._append(body, count, first_time, arrival, lost, arrival if last_arrival is None else last_arrival, frames)

    def put(self, item: record.Item, arrival: int | None = None) -> None:
        """A record or a header. Small records wait for company, until `flush`, `tick` or 64 KiB."""
        if isinstance(item, record.Start):
            self.begin(item)
            return
        arrival = time.time_ns() if arrival is None else arrival
        if isinstance(item, record.Rows):
            self._put_rows(item, arrival)
            return
        self._ours()
        if isinstance(item, record.Message):
            self._gather(encode.message(item), 1, item.time, arrival)
        elif isinstance(item, record.IQ):
            self.append((self._samples.head(item, record.nbytes(item.data)), item.data), 1, item.time, arrival)
        else:
            self.append((encode.spectrum(item, record.nbytes(item.data)), item.data), 1, item.time, arrival)

    def flush(self) -> None:
        """Writes what was gathered as a block."""
        if self._rows:
            body, count = self._gathered, self._rows
            self._gathered, self._rows = bytearray(), 0
            self._seen -= 1  # the records in it were counted as they came
            self._append(body, count, self._first, self._arrival, 0, time.time_ns())

    def tick(self, now: float | None = None) -> None:
        """To be called some ten times a second: what is due is made durable, what is old enough is closed."""
        now = time.monotonic() if now is None else now
        if self._rows:
            self.flush()
        if self._file and self._file.blocks and now - self._file.opened >= self.rotate_time:
            self._finish()
        if self._file and self._file.due(now):
            self._sync()

    def close(self) -> None:
        self.flush()
        self._finish()

    # ------------------------------------------------------------ blocks
    def _append(self, body: Body, count: int, first_time: int, arrival: int, lost: int, last: int, frames: int = 1) -> None:
        buffers: list[Any] = [body] if isinstance(body, (bytes, bytearray, memoryview)) else list(body)
        if self.codec != "null" or len(buffers) > IOV:
            buffers = [codecs.compress(self.codec, _bounded(b"".join(buffers), self.codec))]
        size = sum(map(record.nbytes, buffers))
        head = varint.encode(count) + varint.encode(size)
        whole = len(head) + size + container.MARKER
        self._seen += 1
        before, number, now = self._lost + lost, self.number, time.monotonic()
        try:
            file = self._file
            if file and file.blocks and (file.size + whole > self.rotate_size or now - file.opened >= self.rotate_time):
                self._finish()
            if not self._numbered:
                self.number += before
            file = self._file or self._open(first_time or arrival or time.time_ns(), before)
            parts = [head, *buffers, file.marker]
            crc = 0
            for part in parts:
                crc = codecs.crc32(part, crc)
            file.append(parts, (file.size, whole, count, first_time, arrival, last, before, crc), whole)
        except errors.SpError:
            self._file = None
            # this block is lost, and what was lost before it is still to be told
            self._lost = 0 if self._numbered else before + frames
            self.number = number
            raise
        self._lost = 0
        self.number += 1
        if file.due(now):
            self._sync()

    def _open(self, begin: int, lost: int) -> File:
        marker = os.urandom(container.MARKER)
        start = replace(self.start, lost=0 if self._numbered else lost)
        header = container.encode(self._schema, self.codec, marker, container.meta_of(start, self.number))
        self._file = File(self.folder, begin, header, marker, self.sync_s)
        return self._file

    def _sync(self) -> None:
        assert self._file
        try:
            self._file.sync()
        except errors.SpError:
            self._file = None
            raise
        self.durable = self.number

    def _finish(self) -> None:
        file, self._file = self._file, None
        if file:
            path = file.close()
            self.durable = self.number
            if path:
                self.closed.append(path)

    # ------------------------------------------------------------ headers and records
    def _take(self, start: record.Start) -> None:
        self.start = start if start.boot else replace(start, boot=os.urandom(8))
        self._schema: Any = start.schema
        self._name, self._is_ours = schemas.which_built_in(start.schema)
        self._numbered = self._name in NUMBERED  # `sample` shows what was lost
        self._encoder: Any = None
        self._lost = 0 if self._numbered else start.lost
        self.number = self.durable = self._seen = start.first

    def _ours(self) -> None:
        """Records that were decoded are written as our own schema is today, whatever their writer's was."""
        if not self._is_ours and self._name:
            self._finish()
            self._schema, self._is_ours = schemas.built_in(self._name), True

    def _put_rows(self, rows: record.Rows, arrival: int) -> None:
        if rows.body is not None:
            first = mend.first_time("null", rows.body) if mend.begins_with_time(self._schema) else 0
            self._gather(rows.body, rows.count, first, arrival)
            return
        if self._encoder is None:
            from sptools.formats.avro.rows import encode as encoder

            self._encoder = encoder(self._schema)
        for i in range(0, len(rows.values), 1024):
            some = rows.values[i : i + 1024]
            value = some[0].get("time")
            self._gather(self._encoder(some), len(some), value if isinstance(value, int) else 0, arrival)

    def _gather(self, body: bytes | memoryview, count: int, first: int, arrival: int) -> None:
        if self._rows and len(self._gathered) + len(body) > limits.GATHER:
            self.flush()
        self._seen += 1
        if not self._rows:
            self._first, self._arrival = first, arrival
        self._gathered += body
        self._rows += count
        if len(self._gathered) >= limits.GATHER or self._rows >= limits.EMPTY_ROWS:
            self.flush()


def _bounded(body: bytes, codec: str) -> bytes:
    if codec != "null" and len(body) > limits.EXPANDED:
        raise errors.BadData(
            f"a block of {len(body):,} bytes cannot be compressed, for no reader expands more than {limits.EXPANDED:,}"
        )
    return body
