"""Listens for peers that send: each connection is an input of its own, several may be open at once."""

from __future__ import annotations

import os
import select
import socket

from sptools.transports import _block
from sptools.transports._stream import Input, Place, guard, peer_name


class Caller:
    """A connection that was accepted; `meet` makes it an input (with TLS that takes a handshake, so not at once)."""

    def __init__(self, place: Place, sock: socket.socket, name: str):
        self.place, self.sock, self.name = place, sock, name

    def meet(self) -> Input:
        try:
            return Input(self.place.meet(self.sock, self.name))
        except BaseException:
            self.sock.close()
            raise

    def refuse(self) -> None:
        self.sock.close()


class Listener:
    """`accept` gives one caller after the other, None when it was stopped. `once`: the first connection is all."""

    path = None
    seekable = False
    live = True  # ends when it is stopped

    def __init__(self, place: Place, once: bool):
        self.place, self.name, self.once = place, place.name, once
        self.sock = place.listen()
        self.sock.settimeout(0)
        self.stopped = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        _block.live.append(self.stop)

    def accept(self) -> Caller | None:
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self.stopped:
            with guard():
                poll.poll()
            try:
                sock, address = self.sock.accept()
            except OSError:  # BlockingIOError, and callers that left while they waited
                continue
            return Caller(self.place, sock, peer_name(self.name, address))
        return None

    def stop(self) -> None:
        self.stopped = True
        os.eventfd_write(self._wake, 1)

    def fileno(self) -> int:
        return self.sock.fileno()

    def close(self) -> None:
        if self.stop in _block.live:
            _block.live.remove(self.stop)
            self.place.leave(self.sock)
            self.stopped = True
            os.eventfd_write(self._wake, 1)
