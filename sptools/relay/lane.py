"""Gathers bodies of frames to blocks: they are spliced as they are, nothing is decoded."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from sptools import record
from sptools.cache import mend
from sptools.relay.store import Block, Store

AGE_s = 0.1  # a block waits no longer
SMALL = 32 << 10  # a smaller block is copied, so that a quiet channel keeps its buffer


class Lane:
    """One channel of the cache. `name` is "" while it is not known which; then blocks are held back."""

    def __init__(self, store: Store, name: str, start: record.Start):
        self.store, self.name = store, name
        self.used = self.count = self.frames = self.arrival = self.last = self.lost = 0
        self.opened = 0.0
        self._buffer: np.ndarray | None = None
        self._held: list[Block] = []
        self.held_bytes = 0
        self.begin(start)

    def begin(self, start: record.Start) -> None:
        """What comes next belongs to this header."""
        self.flush()
        self.start = replace(start, channel=self.name)
        self._timed = mend.begins_with_time(start.schema)

    def add(self, bodies: np.ndarray, rows: int, arrival: int) -> None:
        """Bodies of equal size, (n,) of a void dtype, each of `rows` rows."""
        size, n, at = bodies.dtype.itemsize, len(bodies), 0
        while at < n:
            some = min(n - at, (self.store.block - self.used) // size or not self.used)
            if some:
                out = self._room()[self.used : self.used + some * size].view(bodies.dtype)
                out[:] = bodies[at : at + some]
                self._grown(some * size, some * rows, some, arrival)
                at += some
            if at < n:
                self.flush()

    def one(self, body: memoryview | bytes, rows: int, arrival: int) -> None:
        size = len(body)
        if self.used + size > self.store.block:
            self.flush()
        self._room()[self.used : self.used + size] = np.frombuffer(body, np.uint8)
        self._grown(size, rows, 1, arrival)

    def gap(self, lost: int) -> None:
        """Frames are missing here. The index tells it before a block; a block of some length ends for it."""
        if self.used >= SMALL:
            self.flush()
        self.lost += lost

    def flush(self) -> None:
        """Closes the block."""
        if not self.frames:
            return
        assert self._buffer is not None
        body: Any = self._buffer[: self.used]
        if self.used < SMALL or not self.name:
            body = body.tobytes()
        else:
            self._buffer = None
        first = mend.first_time("null", memoryview(body[:16])) if self._timed else 0
        block = Block(self.name, self.start, body, self.count, self.frames, first, self.arrival, self.last, self.lost)
        self.used = self.count = self.frames = self.lost = 0
        if self.name:
            self.store.put(block)
        else:
            self._held.append(block)
            self.held_bytes += len(body)

    def call(self, name: str) -> None:
        """Names the channel, or names it anew; what was held back goes there."""
        if self.name:
            self.flush()
        self.name = name
        named: dict[int, record.Start] = {}
        for block in self._held:
            start = named.setdefault(id(block.start), replace(block.start, channel=name))
            self.store.put(block._replace(channel=name, start=start))
        self.start = named.get(id(self.start)) or replace(self.start, channel=name)
        self._held, self.held_bytes = [], 0

    def _room(self) -> np.ndarray:
        if self._buffer is None:
            self._buffer = self.store.buffer()
        return self._buffer

    def _grown(self, size: int, rows: int, frames: int, arrival: int) -> None:
        if not self.frames:
            self.arrival, self.opened = arrival, time.monotonic()
        self.last = arrival
        self.used += size
        self.count += rows
        self.frames += frames
