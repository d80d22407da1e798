"""The decimated copy of what is relayed: rows of every channel, fewer of them, as streams of their own.

A decimated stream has its own boot and numbers, so that what was left out does not look like loss.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from sptools import errors, log, record
from sptools.formats.avro import announce, frame, rows
from sptools.formats.avro import schema as schemas
from sptools.formats.avro.container import Broken
from sptools.relay.decimate import Fixed, Pick, Values, schema_of
from sptools.relay.publish import Publisher

ANNOUNCE_s = 1.0
STREAMS = 1024


class Framed:
    """Sends rows of one channel as frames of a boot of its own, many a call; announces them."""

    def __init__(self, start: record.Start, publisher: Publisher, mtu: int):
        self.start, self.publisher = start, publisher
        self.begin = frame.begin(start.channel)
        self.schema = schemas.schema_id(start.schema)
        self.room = max(1, mtu - frame.overhead(start.channel))
        self.seq = 0
        self.announced = -ANNOUNCE_s

    def table(self, table: np.ndarray) -> None:
        """Rows of equal size, (n, bytes) uint8."""
        n, size = table.shape
        per = max(1, min(self.room // size, frame.LONGEST))
        whole = n // per
        if whole:
            head = frame.head(self.begin, self.start.boot, 0, self.schema, per, per * size)
            out = np.empty((whole, len(head) + per * size), np.uint8)
            out[:, : len(head)] = np.frombuffer(head, np.uint8)
            at = len(self.begin) + 8
            out[:, at : at + 8] = np.arange(self.seq, self.seq + whole, dtype="<u8")[:, None].view(np.uint8)
            out[:, len(head) :] = table[: whole * per].reshape(whole, -1)
            self.publisher.rows(out[None])
            self.seq += whole
        if n % per:
            self._one(table[whole * per :].tobytes(), n % per)

    def several(self, encoded: Iterable[bytes]) -> None:
        """Rows of any size."""
        body, count = b"", 0
        for row in encoded:
            if count and (len(body) + len(row) > self.room or count == frame.LONGEST):
                self._one(body, count)
                body, count = b"", 0
            body, count = body + row, count + 1
        if count:
            self._one(body, count)

    def announce(self, now: float) -> None:
        if now - self.announced >= ANNOUNCE_s:
            self.announced = now
            self.publisher.one(announce.encode(self.start, self.seq))

    def _one(self, body: bytes, count: int) -> None:
        self.publisher.one(frame.head(self.begin, self.start.boot, self.seq, self.schema, count, len(body)) + body)
        self.seq += 1


class Stream:
    """The rows of one channel, boot and schema."""

    def __init__(self, start: record.Start, every: int, how: str, publisher: Publisher, mtu: int):
        self.schema = start.schema
        source = {**start.source, "every": every, "how": how}
        thinned = replace(
            start, schema=schema_of(start.schema, how), boot=os.urandom(8), first=0, lost=0, source=source,
        )  # fmt: skip
        self.out = Framed(thinned, publisher, mtu)
        self.pick = Pick(every) if how == "pick" else None
        doubles = Fixed.doubles(start.schema)
        self.fixed = Fixed(doubles, every, how) if doubles else None
        self.values = Values(start.schema, every, how)
        self._decoder: rows.Decoder | None = None
        self._encode = rows.encode(thinned.schema)

    def feed(self, bodies: np.ndarray, count: int) -> None:
        """The bodies of frames of equal size with `count` rows each, (n,) of a void dtype."""
        n = len(bodies) * count
        if count == 1 and self.pick:
            kept = np.ascontiguousarray(bodies[self.pick.some(n)])
            self._send(kept.view(np.uint8).reshape(len(kept), -1) if len(kept) else kept)
            return
        body = np.ascontiguousarray(bodies).view(np.uint8)
        if self.fixed:
            table = body.reshape(n, -1) if body.size == n * self.fixed.size else None
            if table is not None and self.fixed.fits(table):
                self._send(table[self.pick.some(n)] if self.pick else self.fixed.feed(table))
                return
            # a row that is not of the usual length: from now on all are decoded
            fixed, self.fixed = self.fixed, None
            self.values.feed(self._decode(fixed.rest.tobytes(), len(fixed.rest)))
        values = self._decode(body.tobytes(), n)
        values = values[self.pick.some(n)] if self.pick else self.values.feed(values)
        self.out.several(self._encode([row]) for row in values)

    def _send(self, table: np.ndarray) -> None:
        if len(table):
            self.out.table(table)

    def _decode(self, body: bytes, count: int) -> list[dict]:
        if self._decoder is None:
            self._decoder = rows.Decoder(self.schema, schemas.validate(self.schema))
        return self._decoder.some(io.BytesIO(body), count)


class Thin:
    """Feeds every channel's rows, decimated, to one output. `undecoded`: rows that were not what their schema says."""

    def __init__(self, publisher: Publisher, mtu: int, every: int, how: str):
        self.publisher, self.mtu, self.every, self.how = publisher, mtu, every, how
        self.undecoded = 0
        self._streams: dict[tuple[str, bytes, bytes], Stream | None] = {}

    def feed(self, key: tuple[str, bytes, bytes], start: record.Start, bodies: np.ndarray, count: int) -> None:
        """Bodies of equal size, of the channel, boot and schema of `key`; `start`: their header."""
        try:
            stream = self._streams[key]
        except KeyError:
            stream = self._open(key, start)
        if stream is None:
            return
        try:
            stream.feed(bodies, count)
        except Broken:
            self.undecoded += len(bodies) * count

    def tick(self, now: float) -> None:
        for stream in self._streams.values():
            if stream:
                stream.out.announce(now)

    def close(self) -> None:
        """So that a loss at the end shows, it is said once more how many frames there were."""
        for stream in self._streams.values():
            if stream:
                stream.out.announce(float("inf"))
        self.publisher.close()

    def _open(self, key: tuple[str, bytes, bytes], start: record.Start) -> Stream | None:
        if len(self._streams) >= STREAMS:
            del self._streams[next(iter(self._streams))]
        stream = None
        if schemas.which_built_in(start.schema)[0] or not isinstance(start.schema, dict) or not start.schema.get("fields"):
            log.notice(f"{start.channel or 'unnamed'}: only rows of signals are decimated; {start.name or 'this'} is left out")
        else:
            try:
                stream = Stream(start, self.every, self.how, self.publisher, self.mtu)
                stream.out.announce(time.monotonic())
            except errors.SpError as error:
                log.warning(f"{start.channel or 'unnamed'}: not decimated: {error}")
                stream = None
        self._streams[key] = stream
        return stream
