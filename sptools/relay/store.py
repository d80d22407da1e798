"""The disk's side of the relay: a thread that appends blocks to the cache, so that publishing never waits for a disk.

Its queue is bounded. When the disk is too slow, blocks are dropped and counted; the loss stands in the index.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sptools import errors, log, record
from sptools.cache.keep import Keeper
from sptools.cache.segment import Channel

BLOCK = 1 << 20  # bytes of a block that is full
LEAST = 4 << 10  # and of one where segments are short
ROOM = 64 << 20  # bytes that may wait for the disk
TICK_s = 0.1
SWEEP_s = 1.0
QUIET_s = 10.0  # between two reports of a disk that goes on failing
SPARE = 8  # buffers kept


class Block(NamedTuple):
    """A block of `channel`, whose header is `start`; `body` is uint8 or bytes. Times in ns UTC."""

    channel: str
    start: record.Start
    body: np.ndarray | bytes
    count: int  # type: ignore[assignment]  # a tuple has a method of that name
    frames: int
    first_time: int
    arrival: int
    last_arrival: int
    lost: int


class Store:
    """`put` from one thread; a second one writes. `problem`: the first failure, for the exit status."""

    def __init__(self, cache: str, keeper: Keeper | None, *, rotate_size: int, rotate_time: float, room: int = ROOM):
        self.cache, self.keeper, self.room = cache, keeper, room
        self.rotate_size, self.rotate_time = rotate_size, rotate_time
        # so that a segment of the size that was asked for holds several
        self.block = min(BLOCK, max(LEAST, rotate_size // 4))
        self.problem: errors.SpError | None = None
        self.unstored: dict[str, int] = {}  # frames that the disk or the queue did not take, by channel
        self.bytes = self.blocks = 0
        self._channels: dict[str, Channel] = {}
        self._starts: dict[str, record.Start] = {}
        self._queue: deque[Block | str] = deque()
        self._waiting = 0  # bytes
        self._owed: dict[str, int] = {}  # frames lost in blocks that found no room: the next block tells
        self._spare: deque[np.ndarray] = deque(maxlen=SPARE)
        self._change = threading.Condition()
        self._ending = False
        self._said = -QUIET_s
        self._thread = threading.Thread(target=self._run, name="disk", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------ called by the relay
    def buffer(self) -> np.ndarray:
        """Room for a block."""
        try:
            return self._spare.pop()
        except IndexError:
            return np.empty(BLOCK, np.uint8)

    def put(self, block: Block) -> None:
        """Hands a block over, with its buffer. Never waits."""
        size = len(block.body)
        with self._change:
            if self._waiting + size > self.room:
                self._miss(block, block.lost)
                return
            owed = self._owed.pop(block.channel, 0)
            self._queue.append(block._replace(lost=block.lost + owed) if owed else block)
            self._waiting += size
            self._change.notify()

    def leave(self, channel: str) -> None:
        """Closes a channel's segment once all that came before is written."""
        with self._change:
            self._queue.append(channel)
            self._change.notify()

    def close(self, timeout: float) -> bool:
        """Writes what waits and closes all segments; False: not within `timeout` seconds."""
        with self._change:
            self._ending = True
            self._change.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _miss(self, block: Block, lost: int) -> None:
        self.unstored[block.channel] = self.unstored.get(block.channel, 0) + block.frames
        self._owed[block.channel] = self._owed.get(block.channel, 0) + block.frames + lost

    # ------------------------------------------------------------ the thread
    def _run(self) -> None:
        ticked = swept = -SWEEP_s
        while True:
            with self._change:
                if not self._queue and not self._ending:
                    self._change.wait(TICK_s)
                todo, ending = list(self._queue), self._ending
                self._queue.clear()
            for what in todo:
                if isinstance(what, str):
                    self._close(what)
                else:
                    self._append(what)
            now = time.monotonic()
            if now - ticked >= TICK_s:
                ticked = now
                for name, channel in self._channels.items():
                    self._guard(name, channel.tick)
            if self.keeper and now - swept >= SWEEP_s:
                swept = now
                self._sweep()
            if ending and not todo:
                for name in list(self._channels):
                    self._close(name)
                if self.keeper:
                    self._sweep()
                return

    def _append(self, block: Block) -> None:
        try:
            channel = self._channel(block)
            before = len(channel.closed)
            body: Any = block.body
            # memoryview: what buffers of numpy and bytes have in common
            channel.append(
                memoryview(body), block.count, block.first_time, block.arrival, block.lost, last_arrival=block.last_arrival
            )  # fmt: skip
            self.bytes += len(block.body)
            self.blocks += 1
            if self.keeper and len(channel.closed) > before:
                self._sweep()
        except errors.SpError as error:
            self.unstored[block.channel] = self.unstored.get(block.channel, 0) + block.frames
            self._fail(error)
        finally:
            with self._change:
                self._waiting -= len(block.body)
            if isinstance(block.body, np.ndarray):
                self._spare.append(block.body.base if block.body.base is not None else block.body)  # type: ignore[arg-type]

    def _channel(self, block: Block) -> Channel:
        channel = self._channels.get(block.channel)
        if channel is None:
            channel = self._channels[block.channel] = Channel(
                self.cache, block.start, rotate_size=self.rotate_size, rotate_time=self.rotate_time
            )  # fmt: skip
            self._starts[block.channel] = block.start
        elif self._starts[block.channel] is not block.start:
            same = self._starts[block.channel].boot == block.start.boot
            self._starts[block.channel] = block.start
            channel.begin(replace(block.start, first=channel.number if same else 0))
        return channel

    def _close(self, name: str) -> None:
        channel = self._channels.pop(name, None)
        if channel:
            self._guard(name, channel.close)

    def _guard(self, name: str, call) -> None:  # type: ignore[no-untyped-def]
        try:
            call()
        except errors.SpError as error:
            self._fail(error)

    def _sweep(self) -> None:
        assert self.keeper
        try:
            self.keeper.sweep()
        except OSError as e:
            self._fail(errors.IOFailure(f"{e.filename or self.cache}: retention failed: {e.strerror}"))

    def _fail(self, error: errors.SpError) -> None:
        """Storing goes on with the next block, and so does publishing; the exit status tells at the end."""
        self.problem = self.problem or error
        now = time.monotonic()
        if now - self._said >= QUIET_s:
            self._said = now
            log.error(f"{error}; publishing goes on")
