"""Datagrams → items. Frames of any number of channels, interleaved; each turn from one to another is a new `Start`.

A channel's frames wait for its announcement, which tells their schema: 1 MiB and 2 s at most, for 64 channels at most.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

from sptools import errors, limits, record
from sptools.formats.avro import announce, container, flow, reader
from sptools.formats.avro import frame as frames
from sptools.formats.avro.frame import Frame
from sptools.formats.avro.scan import Block

WAIT_s = 2.0
WAIT_BYTES = limits.MiB
WAIT_CHANNELS = 64
CHANNELS = 1024
SCHEMAS = 16  # of one channel and boot
NOT_A_FRAME = (ValueError, IndexError, struct.error)


class Datagrams(Protocol):
    name: str

    def batch(self, timeout: float | None = None) -> list[bytes] | None: ...


class _Malformed(reader.Faults):
    """Counts bodies that are not what their schema says, also those that are decoded when they are asked for."""

    def __init__(self, notes: dict[str, int]):
        super().__init__("")
        self.notes = notes

    def add(self, offset: int, size: int, blocks: int, why: str) -> None:
        self.notes["malformed"] = self.notes.get("malformed", 0) + 1


class _Decoder(reader._Stream):
    """Bodies of one schema → items. The numbers of what is lost are the flow's affair."""

    def missed(self, blocks: int) -> None: ...

    def __init__(self, header: container.Header, faults: reader.Faults):
        super().__init__(header, faults)
        self.least = header.extent.least

    def items(self, frame: Frame) -> Iterator[record.Item]:
        size = len(frame.body)
        if frame.count * self.least > size:
            self._faults.add(0, size, 1, "fewer bytes than its rows need")
            return
        block = Block(0, frame.count, size, frame.body)
        item = self.usual(block)
        if item is not None:
            yield item
        else:
            yield from self.block(block)


class _Channel:
    """One channel and boot. `number` is that of the next record, as `continuity` counts."""

    def __init__(self, first: int, notes: dict[str, int]):
        self.flow = flow.Flow(first, notes)
        self.decoders: dict[bytes, _Decoder] = {}
        self.told: _Decoder | None = None
        self.number = first


class Receiver:
    """Iterates over the items. `notes` counts what was lost, repeated, late, malformed or never announced."""

    def __init__(self, input: Datagrams):
        self.input = input
        self.notes: dict[str, int] = {}
        self._faults = _Malformed(self.notes)
        self._channels: dict[tuple[str, bytes], _Channel] = {}
        self._waiting: dict[tuple[str, bytes], deque[tuple[float, Frame]]] = {}
        self._waiting_bytes = 0
        self._current: _Channel | None = None
        self._deadlines: set[_Channel] = set()  # channels whose flow holds something back

    def __iter__(self) -> Iterator[record.Item]:
        while (batch := self.input.batch(self._patience())) is not None:
            now = time.monotonic()
            for datagram in batch:
                if datagram.startswith(frames.MARK):
                    yield from self._frame(datagram, now)
                elif datagram.startswith(announce.MAGIC):
                    yield from self._announcement(datagram, now)
                else:
                    self._count("malformed")
            if self._deadlines or self._waiting:
                yield from self._expire(now)
        for channel in list(self._deadlines):
            yield from self._deliver(channel, channel.flow.release(time.monotonic(), end=True))
        for key in list(self._waiting):
            self._forget(key)

    # ------------------------------------------------------------ what comes
    def _frame(self, datagram: bytes, now: float) -> Iterator[record.Item]:
        try:
            frame = frames.decode(datagram)
        except NOT_A_FRAME:
            self._count("malformed")
            return
        key = (frame.channel, frame.boot)
        channel = self._channels.get(key)
        if channel is None or key in self._waiting or frame.schema not in channel.decoders:
            self._wait(key, frame, now)
        else:
            yield from self._deliver(channel, channel.flow.take(frame.seq, frame, now))

    def _announcement(self, datagram: bytes, now: float) -> Iterator[record.Item]:
        try:
            header, start = announce.decode(datagram)
            schema = announce.schema_of(header)
            key = (start.channel, start.boot)
            channel = self._channels.get(key)
            known = channel.decoders.get(schema) if channel else None
            decoder = _Decoder(header, self._faults) if known is None else known
        except (errors.BadData, container.Broken):
            self._count("malformed")
            return
        waiting = self._waiting.pop(key, ())
        if channel is None:
            channel = self._channels[key] = _Channel(min([start.first, *(f.seq for _, f in waiting)]), self.notes)
            if len(self._channels) > CHANNELS:
                self._drop(next(iter(self._channels)))
        if known is not None and (start.source, start.meta) != (known.start.source, known.start.meta):
            known.start, channel.told = start, None  # a new frequency, say: the next record has a new header
        if known is None:
            channel.decoders[schema] = decoder
            if len(channel.decoders) > SCHEMAS:
                del channel.decoders[next(iter(channel.decoders))]
        self._waiting_bytes -= sum(len(f.body) for _, f in waiting)
        for arrived, frame in waiting:
            if frame.schema in channel.decoders:
                yield from self._deliver(channel, channel.flow.take(frame.seq, frame, now))
            else:
                self._wait(key, frame, arrived)
        yield from self._deliver(channel, channel.flow.reached(start.first, now))

    # ------------------------------------------------------------ what goes
    def _deliver(self, channel: _Channel, events: list[flow.Event]) -> Iterator[record.Item]:
        for lost, what in events:
            if lost == flow.RESTART:
                channel.told, channel.number = None, what
            elif lost:
                yield from self._lost(channel, lost)
            else:
                decoder = channel.decoders.get(what.schema)
                if decoder is None:  # forgotten while it was held back
                    self._count("unannounced")
                    continue
                if channel is not self._current or decoder is not channel.told:
                    yield self._start(channel, decoder)
                for item in decoder.items(what):
                    channel.number += 1
                    yield item
        if channel.flow.deadline is None:
            self._deadlines.discard(channel)
        else:
            self._deadlines.add(channel)

    def _lost(self, channel: _Channel, lost: int) -> Iterator[record.Item]:
        """Where `sample` tells, nothing need be said here."""
        decoder = channel.told or next(iter(channel.decoders.values()))
        if decoder.start.name in ("IQ", "Audio"):
            return
        if channel.told is None:  # nothing came before it
            yield self._start(channel, decoder)
        channel.number += lost
        yield self._start(channel, decoder, lost)

    def _start(self, channel: _Channel, decoder: _Decoder, lost: int = 0) -> record.Start:
        self._current, channel.told = channel, decoder
        return replace(decoder.start, first=channel.number, lost=lost)

    # ------------------------------------------------------------ what waits
    def _wait(self, key: tuple[str, bytes], frame: Frame, arrived: float) -> None:
        if key not in self._waiting and len(self._waiting) >= WAIT_CHANNELS:
            self._count("unannounced")
            return
        queue = self._waiting.setdefault(key, deque())
        queue.append((arrived, frame))
        self._waiting_bytes += len(frame.body)
        while self._waiting_bytes > WAIT_BYTES and queue:  # the newest are worth more: they will be followed
            self._oldest(queue)
        if not queue:
            del self._waiting[key]

    def _expire(self, now: float) -> Iterator[record.Item]:
        for channel in list(self._deadlines):
            if channel.flow.deadline is not None and channel.flow.deadline <= now:
                yield from self._deliver(channel, channel.flow.release(now))
        for key, queue in list(self._waiting.items()):
            while queue and queue[0][0] < now - WAIT_s:
                self._oldest(queue)
            if not queue:
                del self._waiting[key]

    def _oldest(self, queue: deque[tuple[float, Frame]]) -> None:
        self._waiting_bytes -= len(queue.popleft()[1].body)
        self._count("unannounced")

    def _forget(self, key: tuple[str, bytes]) -> None:
        queue = self._waiting.pop(key)
        while queue:
            self._oldest(queue)

    def _drop(self, key: tuple[str, bytes]) -> None:
        """The oldest of too many channels; if it goes on, its next announcement begins it anew."""
        channel = self._channels.pop(key)
        self._deadlines.discard(channel)
        self._count("forgotten_channels")

    def _patience(self) -> float | None:
        """Seconds until something is due, or None."""
        due = [channel.flow.deadline for channel in self._deadlines if channel.flow.deadline is not None]
        due += [queue[0][0] + WAIT_s for queue in self._waiting.values()]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _count(self, name: str, n: int = 1) -> None:
        self.notes[name] = self.notes.get(name, 0) + n


class Bare:
    """One datum a datagram, without a header, of a schema that the user names."""

    def __init__(self, input: Datagrams, schema: Any, channel: str):
        import os

        from sptools.formats.avro import schema as schemas

        self.input = input
        self.notes: dict[str, int] = {}
        source = {"channel": channel} if channel else {}
        self._start = record.Start(schema, channel, os.urandom(8), source=source)
        meta = container.meta_of(self._start, 0)
        header = container.Header(0, 0, schema, schemas.validate(schema), "null", b"", meta)
        self._decoder = _Decoder(header, _Malformed(self.notes))

    def __iter__(self) -> Iterator[record.Item]:
        began = False
        while (batch := self.input.batch()) is not None:
            for item in self._items(batch):
                if not began:
                    began = True
                    yield self._start
                yield item

    def _items(self, batch: list[bytes]) -> Iterator[record.Item]:
        """Rows that came together are one record."""
        rows: list[dict] = []
        bodies: list[bytes] = []
        for datagram in batch:
            bad = self.notes.get("malformed", 0)
            for item in self._decoder.items(Frame("", b"", 0, b"", 1, memoryview(datagram))):
                if not isinstance(item, record.Rows):
                    yield item
                elif (values := item.values) and self.notes.get("malformed", 0) == bad:
                    rows += values
                    bodies.append(datagram)
        if rows:
            yield record.Rows(rows, body=b"".join(bodies))
