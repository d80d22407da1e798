"""Listens for peers that read: any number, each with a queue of its own, so that none waits for another.

What a reader is too slow for it loses in whole blocks, and sees it: samples by a jump of `sample`, rows by a new container
that says how many were lost. A new reader gets a header first.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from sptools import errors, log
from sptools.transports._stream import Link, Place, guard, hand_over, peer_name, wait

QUEUE = 16 << 20
MOST = 256  # readers
SEND = 256 << 10  # bytes handed to the kernel at once
PATIENCE_s = 1.0  # at the end, for a reader that takes nothing
Key = tuple[str, bytes]


class Container:
    """What is being written: the channel and boot, how its header is made, the number of the next block."""

    def __init__(self, key: Key, make: Callable[[int, int], bytes], number: int):
        self.key, self.make, self.number = key, make, number


class Reader(threading.Thread):
    """One peer. The queue is filled by the writer and emptied here."""

    def __init__(self, server: Server, sock: socket.socket, name: str):
        super().__init__(name=name, daemon=True)
        self.server, self.sock = server, sock
        self.link: Link | None = None
        self.queue: deque[bytes] = deque()
        self.size = 0
        self.more = threading.Condition()
        self.shown: Container | None = None  # whose header it has got
        self.skipping = False
        self.missed: dict[Key, int] = {}  # rows, which a header will tell
        self.dropped = 0
        self.moved = time.monotonic()  # when it last took something
        self.cut = False

    # ------------------------------------------------------------ filled by the writer, under its lock
    def header(self, of: Container, lost: int) -> None:
        if self.skipping and self.size > self.server.room // 2:
            self.missed[of.key] = self.missed.get(of.key, 0) + lost
            return
        self.skipping = False
        self.shown = of
        self._push(of.make(of.number, lost + self.missed.pop(of.key, 0)))

    def offer(self, of: Container | None, rows: int, data: bytes) -> None:
        room = self.server.room
        if self.skipping and self.size <= room // 2:
            self.skipping = False
        if self.skipping or (self.size and self.size + len(data) > room):
            self.skipping = True
            self.dropped += 1
            if of and rows:
                self.missed[of.key] = self.missed.get(of.key, 0) + rows
            return
        if of and (self.shown is not of or self.missed.get(of.key)):
            self.header(of, 0)
        self._push(data)

    def _push(self, data: bytes) -> None:
        with self.more:
            self.queue.append(data)
            self.size += len(data)
            self.more.notify()

    # ------------------------------------------------------------ its own thread
    def run(self) -> None:
        try:
            self.link = self.server.place.meet(self.sock, self.name)
            self.server.join_in(self)
            self._deliver(self.link)
            hand_over(self.link, ended=True, seconds=PATIENCE_s)
        except (errors.SpError, OSError) as error:
            log.info(f"{error}")
        finally:
            self.server.forget(self)
            (self.link or self.sock).close()

    def _deliver(self, link: Link) -> None:
        answers = memoryview(bytearray(4096))
        while True:
            with self.more:
                while not self.queue:
                    if self.server.closing:
                        return
                    self.more.wait()
                views, size = [], 0
                while self.queue and size < SEND:
                    data = self.queue.popleft()
                    views.append(memoryview(data))
                    size += len(data)
            while views:
                sent = link.send(views)
                if not sent:
                    wait(link, select.POLLOUT, 0.5)
                else:
                    self.moved = time.monotonic()
                if self.cut:
                    raise errors.Unavailable(f"{self.name}: too slow to take the end")
                with self.more:
                    self.size -= sent
                while views and sent >= len(views[0]):
                    sent -= len(views.pop(0))
                if sent:
                    views[0] = views[0][sent:]
            while link.receive(answers):  # unread they would block the peer
                pass


class Server:
    """An output to any number of readers. It never waits for one, but at the end for those that still take something."""

    path = None

    def __init__(self, place: Place, room: int = QUEUE):
        self.place, self.name, self.room = place, place.name, room
        self.closing = False
        self.now: Container | None = None
        self.readers: list[Reader] = []
        self.served = self.dropped = 0
        self._lock = threading.Lock()
        self._sock = place.listen()
        self._sock.settimeout(0)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._met: list[Reader] = []  # also those in a handshake
        self._doorman = threading.Thread(target=self._accept, name=f"{self.name} accepts", daemon=True)
        self._doorman.start()

    @property
    def notes(self) -> dict[str, int]:
        """Readers that came, and blocks that some of them were too slow for."""
        return {"readers": self.served, "not_taken": self.dropped + sum(r.dropped for r in self.readers)}

    def begin(self, key: Key, make: Callable[[int, int], bytes], first: int, lost: int) -> None:
        with self._lock:
            self.now = Container(key, make, first)
            for reader in self.readers:
                reader.header(self.now, lost)

    def block(self, number: int, rows: int, *buffers: Any) -> None:
        with self._lock:
            assert self.now is not None
            self.now.number = number
            self._offer(self.now, rows, buffers)
            self.now.number = number + 1

    def write(self, *buffers: Any) -> None:
        """Of formats without blocks: what was written at once stays together."""
        with self._lock:
            self._offer(None, 0, buffers)

    def _offer(self, of: Container | None, rows: int, buffers: tuple) -> None:
        if self.readers:
            data = b"".join(buffers)  # the buffers are used again, a queue keeps what it gets
            for reader in self.readers:
                reader.offer(of, rows, data)

    def close(self, ok: bool = True) -> None:
        if self.closing:
            return
        self.closing = True
        os.eventfd_write(self._wake, 1)
        self._doorman.join(1)
        self.place.leave(self._sock)
        try:
            with guard():
                while ok and (late := [r for r in self._met if r.is_alive()]):
                    for reader in late:
                        with reader.more:
                            reader.more.notify()
                        if time.monotonic() - reader.moved > PATIENCE_s:
                            reader.cut = True
                        reader.join(0.05)
                    if all(r.cut for r in late):
                        break
        finally:
            for reader in list(self._met):
                if reader.is_alive():
                    (reader.link or Link(reader.sock, reader.name)).close(False)

    def fileno(self) -> int:
        return self._sock.fileno()

    # ------------------------------------------------------------ readers come and go
    def join_in(self, reader: Reader) -> None:
        with self._lock:
            self.served += 1
            self.readers.append(reader)
            if self.now:
                reader.header(self.now, 0)

    def forget(self, reader: Reader) -> None:
        with self._lock:
            if reader in self.readers:
                self.readers.remove(reader)
                self.dropped += reader.dropped
            if reader in self._met:
                self._met.remove(reader)
        if reader.dropped:
            log.notice(f"{reader.name}: was too slow for {reader.dropped:,} blocks")

    def _accept(self) -> None:
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self.closing:
            poll.poll()
            try:
                sock, address = self._sock.accept()
            except OSError:
                continue
            name = peer_name(self.name, address)
            if len(self._met) >= MOST:
                log.warning(f"{name}: refused, {MOST} readers are there already")
                sock.close()
                continue
            reader = Reader(self, sock, name)
            with self._lock:
                self._met.append(reader)
            reader.start()
