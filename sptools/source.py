"""From a receiver to a stream of items: stamps each chunk with its sample number and time, behind a ring where it is live."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

from sptools import __version__
from sptools.clock import Clock
from sptools.drivers._chunk import Chunk
from sptools.record import IQ, Item, Rows, Start, nbytes, sample_size


def node_name(name: str | None) -> str:
    """`name`, or what of the host name may stand in a channel's name."""
    text = name or socket.gethostname().split(".")[0]
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in text).lstrip("-_")
    return kept[:63] or "node"


def describe_source(channel: str, device: str = "", **more: object) -> dict:
    """What stands in a header's `sptools.source`."""
    node, _, task = channel.partition("/")
    facts: dict[str, object] = {"channel": channel, "node": node, "task": task, "device": device, "version": __version__}
    return {k: v for k, v in (facts | more).items() if v not in ("", None)}


class Stamped:
    """A receiver whose chunks know their time and sample number. Stands before the ring, so that arrival is arrival."""

    def __init__(self, receiver: Any):
        self.receiver = receiver
        self.sample = 0
        self.clock: Clock | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.receiver, name)

    def read(self) -> Chunk | None:
        """The next chunk, stamped; None at the end."""
        chunk = self.receiver.read()
        if chunk is None or isinstance(chunk.data, list):
            return chunk
        count = nbytes(chunk.data) // sample_size(self.receiver.datatype)
        sample = chunk.sample if chunk.sample is not None else self.sample + chunk.lost
        self.sample = sample + count
        clock = self.clock
        if clock is None:
            clock = self.clock = Clock(chunk.rate, live=self.receiver.live, start=chunk.time, name=self.receiver.clock)
        elif clock.rate != chunk.rate:
            clock.change_rate(chunk.rate, sample)
        time = chunk.time if chunk.time is not None else clock.stamp(sample, count)
        return chunk._replace(time=time, sample=sample, time_error=clock.error, clock=clock.name)


class Stoppable:
    """A receiver that never waits, and so needs no ring: `stop()` ends it at the next read."""

    def __init__(self, receiver: Any):
        self.receiver, self.stopped = receiver, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.receiver, name)

    def read(self) -> Chunk | None:
        return None if self.stopped else self.receiver.read()

    def stop(self) -> None:
        self.stopped = True


class Blocks:
    """Chunks → items of one channel. A new header says what the receiver was newly tuned for; `sample` runs on.

    `tuned(freq)` is the frequency that the user wants to hear where the receiver stands on `freq` (they differ with
    --offset); None: no particular one.
    """

    def __init__(
        self, receiver: Any, channel: str, schema: Callable[[str], dict], tuned: Callable[[float], float | None], **more: object
    ):
        self.receiver, self.channel, self.schema, self.tuned, self.more = receiver, channel, schema, tuned, more
        self.boot = os.urandom(8)
        self.number = 0
        self.told: float | None = -1.0  # (no frequency is negative) the wanted frequency that the last header named

    def __iter__(self) -> Iterator[Item]:
        while (chunk := self.receiver.read()) is not None:
            if isinstance(chunk.data, list):
                if not self.number:
                    self.told = None
                    yield self._start(self.receiver.schema)
                yield Rows(chunk.data)
            elif nbytes(chunk.data):
                tuned = self.tuned(chunk.freq)
                if tuned != self.told:
                    self.told = tuned
                    yield self._start(self.schema("IQ"))
                yield IQ(
                    time=chunk.time, sample=chunk.sample, rate=chunk.rate, freq=chunk.freq, gain=chunk.gain,
                    datatype=self.receiver.datatype, data=chunk.data, time_error=chunk.time_error, clock=chunk.clock,
                )  # fmt: skip
            else:
                continue
            self.number += 1

    def _start(self, schema: dict) -> Start:
        facts = describe_source(self.channel, self.receiver.device, freq=self.told or None, **self.more)
        return Start(schema, self.channel, self.boot, self.number, 0, facts)
