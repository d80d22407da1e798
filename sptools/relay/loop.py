"""The relay's loop: wait, receive what there is, send it on, hand it to the channels, nap.

The nap lets datagrams gather: a batch of many costs little more than a batch of one.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any

from sptools.formats.avro import announce, frame
from sptools.relay import frames
from sptools.relay.channels import Channels
from sptools.relay.publish import Publisher
from sptools.relay.receive import Piece, Receiver

POLL_s = 0.05
PUMP = 64  # batches from one socket before another one has its turn
TICK_s = 0.01  # blocks and deadlines are looked at that often
DRAIN_s = 2.5  # for what had arrived when the end was asked for


class Relay:
    """`inputs` from transports/udp; each of `publishers` gets every datagram that is a frame or an announcement."""

    def __init__(
        self, inputs: list[Any], receivers: list[Receiver], channels: Channels, publishers: list[Publisher], tick: float
    ):
        self.inputs, self.channels, self.publishers, self.tick = inputs, channels, publishers, tick
        self.receivers = receivers
        self.datagrams = self.bytes = self.announcements = 0
        self.stopping = False
        self.stopped: float | None = None  # when (monotonic)

    def stop(self) -> None:
        """Safe in a signal's handler."""
        if not self.stopping:
            self.stopping, self.stopped = True, time.monotonic()
            for each in self.inputs:
                each.stop()

    def run(self, *, until: float | None = None, requests: Callable[[], None] = lambda: None) -> None:
        """To the end: `until` (monotonic), or when stopped; then what has arrived is still taken."""
        poll = select.poll()
        for each in self.inputs:
            poll.register(each.fileno(), select.POLLIN)
        ticked, deadline = 0.0, None
        while True:
            if not self.stopping:
                poll.poll(POLL_s * 1000)
            busy = False
            for receiver in self.receivers:
                busy = self.pump(receiver) or busy
            now = time.monotonic()
            if now - ticked >= TICK_s:
                ticked = now
                self.channels.tick(now)
                if self.channels.thin:
                    self.channels.thin.tick(now)
                requests()
            if self.stopping:
                deadline = now + DRAIN_s if deadline is None else deadline
                if not busy or now > deadline:
                    return
            elif until is not None and now >= until:
                self.stop()
            elif self.tick:
                time.sleep(self.tick)

    def pump(self, receiver: Receiver) -> bool:
        """Takes what a socket holds, so many batches at most; False: nothing was there."""
        for i in range(PUMP):
            batch = receiver.batch()
            if batch is None:
                return i > 0
            now, arrival = time.monotonic(), time.time_ns()
            for piece in batch.pieces:
                self._piece(piece, now, arrival)
            if not batch.full:
                return True
        return True

    def _piece(self, piece: Piece, now: float, arrival: int) -> None:
        if isinstance(piece, list):
            for datagram in piece:
                self._one(datagram, now, arrival)
            return
        slots, n, size = piece.shape
        found = frames.marked(piece)
        if found is not None:
            if found.any() and found.sum() >= frames.FEW and found.mean() > 0.5:
                self._mixed(piece, found, now, arrival)
            else:
                for slot in piece:
                    for row in slot:
                        self._one(row.tobytes(), now, arrival)
            return
        for publisher in self.publishers:
            publisher.rows(piece)
        self.datagrams += slots * n
        self.bytes += slots * n * size
        self._groups(piece, now, arrival)

    def _groups(self, rows: Any, now: float, arrival: int) -> None:
        for group in frames.groups(rows):
            if isinstance(group, list):
                for datagram in group:
                    self.channels.single(datagram, now, arrival)
            else:
                self.channels.group(group, now, arrival)

    def _mixed(self, piece: Any, found: Any, now: float, arrival: int) -> None:
        """Frames, and among them a few datagrams of the same size that are none."""
        for row in piece[~found]:
            self._one(row.tobytes(), now, arrival)
        self._piece(piece[found][None], now, arrival)

    def _one(self, datagram: bytes, now: float, arrival: int) -> None:
        self.datagrams += 1
        self.bytes += len(datagram)
        if datagram.startswith(frame.MARK):
            self._publish(datagram)
            self.channels.single(datagram, now, arrival)
        elif datagram.startswith(announce.MAGIC):
            if self.channels.announcement(datagram, now, arrival):
                self.announcements += 1
                self._publish(datagram)
        else:
            self.channels.bad(datagram, arrival)

    def _publish(self, datagram: bytes) -> None:
        for publisher in self.publishers:
            publisher.one(datagram)
