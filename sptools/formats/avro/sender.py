"""Items → datagrams: a frame each, and announcements; or one bare datum each.

Rows and messages wait for company, at most `linger`; a clock of its own sees to that, and to the announcements.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from typing import Any, Protocol

from sptools import errors, record
from sptools.clock import SECOND
from sptools.continuity import Continuity
from sptools.formats.avro import announce, encode
from sptools.formats.avro import frame as frames
from sptools.formats.avro import schema as schemas

ANNOUNCE_s = 1.0


class Target(Protocol):
    name: str
    mtu: int
    notes: dict[str, int]

    def write(self, *buffers: Any, **mark: Any) -> None: ...

    def close(self, ok: bool = True) -> None: ...


class _Channel:
    """What is known of a channel that is being sent, and its rows that wait."""

    def __init__(self, start: record.Start, first: int):
        self.begin = frames.begin(start.channel)
        self.overhead = frames.overhead(start.channel)
        self.seq = first
        self.body = bytearray()
        self.count = 0
        self.since = 0.0
        self.announced = -ANNOUNCE_s
        self.tell(start)

    def tell(self, start: record.Start) -> None:
        self.start, self.boot = start, start.boot
        self.schema = schemas.schema_id(start.schema)
        self.rows: Any = None  # rows → body, made when the first row comes

    def frame(self, count: int, size: int) -> bytes:
        """The head of the next frame."""
        head = frames.head(self.begin, self.boot, self.seq, self.schema, count, size)
        self.seq += 1
        return head


class Sink:
    """Every channel's frames are numbered on, per boot, whatever lies between."""

    def __init__(self, output: Target, *, linger: float, bare: bool, channel: str | None):
        if channel is not None and not (channel and frames.is_channel(channel)):
            raise errors.Usage(f"{output.name}: {channel!r} is not a channel's name: letters, digits, - and _, up to three /")
        self.output, self.linger, self.bare, self.name = output, linger, bare, channel
        self._marked = getattr(output, "marked", False)  # it tells frames and channels apart
        self._boot = os.urandom(8)  # for sources that have none
        self._channels: dict[str, _Channel] = {}
        self._follow: dict[str, Continuity] = {}
        self._now: _Channel | None = None
        self._seen = Continuity()
        self._samples = encode.Samples()
        self._sent = 0
        self._problem: BaseException | None = None
        self._change = threading.Condition(threading.RLock())
        self._closed = False
        self._clock: threading.Thread | None = None

    @property
    def notes(self) -> dict[str, int]:
        return {"datagrams_out": self._sent, **self.output.notes}

    def put(self, item: record.Item) -> None:
        with self._change:
            if self._problem:
                raise self._problem
            if isinstance(item, record.Start):
                self._begin(item)
                return
            channel = self._now
            assert channel is not None
            self._seen.see(item)
            if not self.bare and time.monotonic() - channel.announced >= ANNOUNCE_s:
                self._announce(channel)
            if isinstance(item, record.IQ):
                self._put_samples(channel, item)
            elif isinstance(item, record.Message):
                self._gather(channel, encode.message(item), 1)
            elif isinstance(item, record.Rows):
                self._put_rows(channel, item)
            else:
                self._put_spectrum(channel, item)

    def flush(self) -> None:
        """Sends the rows that were gathered."""
        with self._change:
            for channel in self._channels.values():
                self._flush(channel)

    def close(self, ok: bool = True) -> None:
        """Sends what waits and, so that a loss at the end shows too, how many frames there were."""
        with self._change:
            self._closed = True
            self._change.notify()
            try:
                if ok and self._problem is None:
                    self.flush()
                    for channel in self._channels.values() if not self.bare else ():
                        self._announce(channel)
            finally:
                self.output.close(ok)
        if self._clock:
            self._clock.join()
        if ok and self._problem:
            raise self._problem

    # ------------------------------------------------------------ a channel begins, or goes on
    def _begin(self, start: record.Start) -> None:
        name = start.channel or self.name or ""
        if not frames.is_channel(name):
            raise errors.BadConfig(
                f"{self.output.name}: {name!r} cannot be a channel's name in datagrams: letters, digits, - and _, up to three /"
            )
        self._seen = self._follow.setdefault(name, Continuity())
        verdict, lost = self._seen.see(start)
        built_in, _ = schemas.which_built_in(start.schema)
        schema = schemas.built_in(built_in) if built_in else start.schema
        start = replace(start, schema=schema, channel=name, boot=start.boot or self._boot, lost=0)
        channel = self._channels.get(name)
        if channel is not None and channel.boot == start.boot:
            told = channel.start
            if verdict == "gap":
                self._flush(channel)
                channel.seq += lost
            if (told.schema, told.source, told.meta) != (start.schema, start.source, start.meta):
                self._flush(channel)
                schemas.validate(schema)
                channel.tell(start)
                channel.announced = -ANNOUNCE_s
        else:
            schemas.validate(schema)  # nobody could read it otherwise
            if channel is not None:
                self._flush(channel)
                if not self.bare:
                    self._announce(channel)
            channel = self._channels[name] = _Channel(start, start.first)
        self._now = channel
        if not self.bare and channel.announced < 0:
            self._announce(channel)

    def _announce(self, channel: _Channel) -> None:
        self._flush(channel)
        self._write(channel, None, True, announce.encode(channel.start, channel.seq))
        channel.announced = time.monotonic()
        if self._clock is None and not self._closed:
            self._clock = threading.Thread(target=self._tick, name="datagrams", daemon=True)
            self._clock.start()

    # ------------------------------------------------------------ records
    def _put_samples(self, channel: _Channel, block: record.IQ) -> None:
        """As many frames as needed, of equal length within a sample; time and `sample` go on exactly."""
        size = record.sample_size(block.datatype) * block.channels
        data = memoryview(block.data).cast("B")  # type: ignore[arg-type]
        whole = self._samples.head(block, len(data))
        # 10: what time and sample may still grow by, in bytes
        room = self.output.mtu - len(whole) - 10 - (0 if self.bare else channel.overhead)
        if room < size:
            raise self._too_small(size + self.output.mtu - room)
        count = len(data) // size
        pieces = max(1, -(-count // (room // size)))
        if pieces == 1:
            self._send(channel, 1, whole, data)
            return
        num, den = float(block.rate).as_integer_ratio()
        at = 0
        for k in range(1, pieces + 1):
            stop = count * k // pieces
            piece = replace(
                block, time=block.time + (2 * at * SECOND * den + num) // (2 * num), sample=block.sample + at,
            )  # fmt: skip
            some = data[at * size : stop * size]
            self._send(channel, 1, self._samples.head(piece, len(some)), some)
            at = stop

    def _put_spectrum(self, channel: _Channel, item: record.Spectrum) -> None:
        data = memoryview(item.data).cast("B")  # type: ignore[arg-type]
        head = encode.spectrum(item, len(data))
        self._fits(channel, len(head) + len(data), "a spectrum", "fewer bins")
        self._send(channel, 1, head, data)

    def _put_rows(self, channel: _Channel, rows: record.Rows) -> None:
        if rows.body is not None and (rows.count == 1 or not self.bare):
            if rows.count == 1 or len(rows.body) <= self.output.mtu - channel.overhead:
                self._gather(channel, rows.body, rows.count)
                return
        if channel.rows is None:
            from sptools.formats.avro.rows import encode as encoder

            channel.rows = encoder(channel.start.schema)
        for value in rows.values:
            self._gather(channel, channel.rows((value,)), 1)

    def _gather(self, channel: _Channel, body: bytes | memoryview, count: int) -> None:
        self._fits(channel, len(body), "a row", "shorter texts")
        if self.bare:
            self._send(channel, 1, body)
            return
        full = len(channel.body) + len(body) > self.output.mtu - channel.overhead
        if channel.count and (full or channel.count + count > frames.LONGEST):
            self._flush(channel)
        if not channel.count:
            channel.since = time.monotonic()
            self._change.notify()
        channel.body += body
        channel.count += count
        if len(channel.body) >= self.output.mtu - channel.overhead or not self.linger:
            self._flush(channel)

    def _flush(self, channel: _Channel) -> None:
        if channel.count:
            body, count, channel.body, channel.count = channel.body, channel.count, bytearray(), 0
            self._send(channel, count, body)

    # ------------------------------------------------------------ datagrams
    def _send(self, channel: _Channel, count: int, *body: Any) -> None:
        if self.bare:
            self._write(channel, None, False, *body)
        else:
            number = channel.seq
            self._write(channel, number, False, channel.frame(count, sum(map(len, body))), *body)

    def _write(self, channel: _Channel, number: int | None, announcement: bool, *buffers: Any) -> None:
        if self._marked:
            mark = None if number is None else (channel.boot, number)
            self.output.write(*buffers, channel=channel.start.channel, number=mark, announcement=announcement)
        else:
            self.output.write(*buffers)
        self._sent += 1

    def _fits(self, channel: _Channel, size: int, what: str, instead: str) -> None:
        """One record may be longer than the usual datagram, but not than any."""
        most = frames.MOST - (0 if self.bare else channel.overhead)
        if size > most:
            raise errors.BadConfig(
                f"{self.output.name}: {what} of {size:,} bytes does not fit a datagram, which takes {most:,}: "
                f"send {instead}, or use a pipe or a file"
            )

    def _too_small(self, need: int) -> errors.BadConfig:
        return errors.BadConfig(f"{self.output.name}: mtu={self.output.mtu} leaves no room for a sample: it takes {need}")

    # ------------------------------------------------------------ the clock
    def _tick(self) -> None:
        """Sends what has waited long enough, and announces where nothing is being sent."""
        with self._change:
            while not self._closed:
                now = time.monotonic()
                wake = now + ANNOUNCE_s
                try:
                    for channel in self._channels.values():
                        if now - channel.announced >= ANNOUNCE_s:
                            self._announce(channel)
                        elif channel.count and now - channel.since >= self.linger:
                            self._flush(channel)
                        wake = min(wake, channel.announced + ANNOUNCE_s)
                        if channel.count:
                            wake = min(wake, channel.since + self.linger)
                except Exception as error:  # raised by the next put
                    self._problem = error
                    return
                self._change.wait(max(0.0, wake - now))
