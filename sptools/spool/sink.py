"""A sink that keeps what it gets in a spool until the peer has it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

from sptools import log, registry, url
from sptools.errors import NoInput, Usage
from sptools.record import Item
from sptools.spool.courier import Courier
from sptools.spool.store import Spool
from sptools.transports._block import Deadline
from sptools.transports._stream import guard

HALT_s = 0.5  # for the courier to put down what it carries


def spooled(target: str, folder: str, limit: int, when_full: str, *, fail_fast: bool, rate: float | None) -> Spooled:
    """The sink of an endpoint whose peer can acknowledge blocks."""
    endpoint = url.parse(target)
    scheme = endpoint.scheme or "file"
    transport = registry.load("transports", scheme)
    if not hasattr(transport, "dial"):
        raise Usage(f"{target}: --spool needs a peer that can say what has arrived, and {scheme} has none: use tcp, tls or unix")
    if endpoint.format not in (None, "avro"):
        raise Usage(f"{target}: a spool keeps Avro blocks; {endpoint.format} has none: leave the format out")
    ways = registry.describe("formats", "avro", "write"), registry.describe("transports", scheme, "dial")
    keys, places = url.split_keys(endpoint, f"avro over {scheme}", *ways)
    peer = transport.dial(endpoint.place, **places)
    store = Spool(folder, limit, when_full)
    try:
        sink = registry.load("formats", "avro").write(store, **keys)
    except BaseException:
        store.release()
        raise
    return Spooled(sink, store, Courier(store, peer, fail_fast=fail_fast, rate=rate))


class Spooled:
    """Puts into the spool; closing waits until all is delivered, or until a signal's deadline: the rest stays there."""

    def __init__(self, sink: Any, spool: Spool, courier: Courier):
        self.sink, self.spool, self.courier = sink, spool, courier
        self.backlog = not spool.empty  # of an earlier run
        self.closed = False
        # wakes the main thread where it waits for input: there is no use in waiting any longer
        courier.on_failure = lambda: os.kill(os.getpid(), signal.SIGALRM)

    @property
    def notes(self) -> dict[str, int]:
        found = {
            "blocks_sent": self.courier.delivered, "unconfirmed": self.courier.unconfirmed,
            "connections": self.courier.connections, **self.spool.notes, "spooled_bytes": self.spool.waiting,
        }  # fmt: skip
        return {name: n for name, n in found.items() if n or name == "blocks_sent"}

    def start(self) -> None:
        """Begins to deliver; once signals have their handlers."""
        self.courier.start()

    def put(self, item: Item) -> None:
        self.sink.put(item)

    def flush(self) -> None:
        self.sink.flush()

    def close(self, ok: bool = True) -> None:
        if self.closed:
            return
        self.closed = True
        try:
            self.sink.close(ok)
            while ok and self.courier.is_alive():
                with guard():
                    self.courier.join(0.2)
        except Deadline:
            pass  # the spool keeps it
        finally:
            self._stop()
        if ok and self.courier.failure:
            raise self.courier.failure

    def _stop(self) -> None:
        if self.courier.is_alive():
            self.courier.halt()
            self.courier.join(HALT_s)
        self.spool.release()
        if self.spool.waiting:
            log.notice(f"{self.spool.waiting:,} bytes stay in the spool {self.spool.folder} for the next run")


class Deliver:
    """Items on their way into a spool. What an earlier run left in it is delivered also if nothing new comes."""

    def __init__(self, items: Any, sink: Any):
        self.items, self.sink = items, sink
        self.origin = getattr(items, "origin", None)
        self.begun = False

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        if not self.begun:
            self.begun = True
            self.sink.start()
        try:
            return next(self.items)
        except NoInput:
            if not self.sink.backlog:
                raise
            raise StopIteration from None

    def close(self) -> None:
        self.items.close()
