"""What tcp, tls and unix have in common: a link to one peer, an input from it, an output to it.

Links never block by themselves: who waits does so in `wait`, which a signal's deadline can interrupt in the main thread.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import termios
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from sptools import errors
from sptools.transports import _block
from sptools.transports._block import Stopped, blocking

CONNECT_s = 10.0
CLOSE_s = 10.0  # for the last bytes to arrive, and for the peer to say so
UNANSWERED = 1 << 20  # bytes of acknowledgements that a peer leaves unread before it is given up
KEEPALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4))  # a peer that vanished is noticed in 30 s
ACK = struct.Struct(">8sQ")  # boot, number of the block


class Place(Protocol):
    """Where links come from. `connect` asks for one; `listen` makes a socket, whose connections `meet` turns into links."""

    name: str

    def connect(self, timeout: float = CONNECT_s) -> Link: ...
    def listen(self) -> socket.socket: ...
    def meet(self, sock: socket.socket, name: str) -> Link: ...
    def leave(self, sock: socket.socket) -> None: ...


class Link:
    """One connected socket. `send` and `receive` do what can be done at once."""

    def __init__(self, sock: socket.socket, name: str):
        self.sock, self.name = sock, name
        self.said_end = False
        sock.settimeout(0)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE:
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def fileno(self) -> int:
        return self.sock.fileno()

    def send(self, views: list[memoryview]) -> int:
        """Bytes that were taken; 0: no room now. Raises Unavailable when the peer is gone."""
        try:
            return self.sock.sendmsg(views[:1024])
        except BlockingIOError:
            return 0
        except OSError as e:
            raise self.lost(e) from e

    def receive(self, view: memoryview) -> int | None:
        """Bytes that were there; None: none now; 0: the peer has closed. Raises Unavailable when it broke off."""
        try:
            return self.sock.recv_into(view)
        except BlockingIOError:
            return None
        except OSError as e:
            raise self.lost(e) from e

    def lost(self, e: OSError) -> errors.Unavailable:
        return errors.Unavailable(f"{self.name}: the connection broke: {e.strerror or e}")

    def half_close(self) -> None:
        """Nothing more will be sent; receiving goes on."""
        self.said_end = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def unsent(self) -> int:
        """Bytes that the peer's machine has not confirmed."""
        if self.sock.family == socket.AF_UNIX:  # what was taken is the peer's already
            return 0
        try:
            return struct.unpack("i", fcntl.ioctl(self.sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
        except OSError:
            return 0

    def deaf(self) -> None:
        """Ends every wait for more. May be called by a signal's handler and by another thread."""
        try:
            socket.socket.shutdown(self.sock, socket.SHUT_RD)  # not that of TLS, which would forget its keys
        except OSError:
            pass

    def close(self, ok: bool = True) -> None:
        """Without `ok` the peer gets an error, so that nothing looks whole to it that is not."""
        try:
            if not ok:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        finally:
            self.sock.close()


def guard() -> AbstractContextManager:
    """Around a call that blocks: in the main thread signals may interrupt it, in others nobody does."""
    return blocking() if threading.current_thread() is threading.main_thread() else nullcontext()


def wait(fd: Any, events: int, seconds: float | None = None) -> int:
    """The events that came; 0: none in time."""
    poll = select.poll()
    poll.register(fd, events)
    with guard():
        found = poll.poll(None if seconds is None else max(0, seconds) * 1000)
    return found[0][1] if found else 0


class Input:
    """Bytes from one peer. `ack` answers it."""

    path = None
    seekable = False
    live = True  # ends when it is stopped

    def __init__(self, link: Link):
        self.link, self.name = link, link.name
        self.stopped = False
        self._owed = bytearray()
        _block.live.append(self.stop)

    def readinto(self, view: memoryview) -> int:
        """Fills `view` with what is there, waiting for the first byte. Returns the bytes read; 0: the end."""
        while (got := self.link.receive(view)) is None:
            wait(self.link, select.POLLIN)
        if self.stopped:
            if threading.current_thread() is threading.main_thread():
                raise Stopped
            return 0
        return got

    def read(self, n: int) -> bytes:
        data = bytearray(n)
        got = self.readinto(memoryview(data))
        return bytes(memoryview(data)[:got])

    def ack(self, boot: bytes, number: int) -> None:
        """Tells the sender that its block is durable here: 16 bytes, boot and number, big-endian.

        Only who has the block on the disk may say so. A receiver that will answer says so first of all, at a
        container's header, with the number before its first block (−1 is 2^64 − 1): then the sender waits for answers.
        """
        self._owed += ACK.pack(boot, number % (1 << 64))
        with memoryview(self._owed) as owed:
            sent = self.link.send([owed])
        del self._owed[:sent]
        if len(self._owed) > UNANSWERED:
            raise errors.Unavailable(f"{self.name}: takes no acknowledgements")

    def stop(self) -> None:
        self.stopped = True
        self.link.deaf()

    def fileno(self) -> int:
        return self.link.fileno()

    def close(self) -> None:
        if self.stop in _block.live:
            _block.live.remove(self.stop)
            self.link.half_close()
            self.link.close()


class Output:
    """Bytes to one peer: lossless while it is there, Unavailable when it leaves."""

    path = None

    def __init__(self, link: Link):
        self.link, self.name = link, link.name
        self._answers = bytearray(65536)
        self._heard = self._ended = False

    def write(self, *buffers: bytes | bytearray | memoryview) -> None:
        views = [memoryview(b).cast("B") for b in buffers if len(b)]
        self._absorb()
        while views:
            sent = self.link.send(views)
            if not sent:
                self._until(select.POLLOUT)
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if sent:
                views[0] = views[0][sent:]

    def close(self, ok: bool = True) -> None:
        """`ok`: returns when the peer's machine has it all."""
        if self.link.fileno() < 0:
            return
        try:
            if ok:
                hand_over(self.link, self._heard, self._ended)
        except BaseException:
            ok = False
            raise
        finally:
            self.link.close(ok)

    def fileno(self) -> int:
        return self.link.fileno()

    def _absorb(self) -> None:
        """Answers that nobody waits for; unread they would block the peer."""
        while not self._ended and (got := self.link.receive(memoryview(self._answers))) is not None:
            self._ended, self._heard = got == 0, True

    def _until(self, event: int) -> None:
        wait(self.link, event if self._ended else event | select.POLLIN)
        self._absorb()


def hand_over(link: Link, heard: bool = False, ended: bool = False, seconds: float = CLOSE_s) -> None:
    """Says the end and waits until the peer's machine has it all, and from a peer that answers for its last word.

    A socket that is closed with answers unread would throw away what is still on the way.
    """
    link.half_close()
    end, pause, answers = time.monotonic() + seconds, 0.001, memoryview(bytearray(65536))
    while True:
        while not ended and (got := link.receive(answers)) is not None:
            ended, heard = got == 0, True
        left = link.unsent()
        # what was sent to a peer that had left comes back as an error, which reading does not show
        if code := link.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise link.lost(OSError(code, os.strerror(code)))
        if not left and (ended or not heard):
            return
        if time.monotonic() > end:
            if left:
                raise errors.Unavailable(f"{link.name}: the last {left:,} bytes did not arrive in {seconds:g} s")
            return
        wait(link, 0 if ended else select.POLLIN, pause)  # nothing wakes who waits for a confirmation
        pause = min(2 * pause, 0.05)


def peer_name(name: str, address: Any) -> str:
    """How a connection is called in messages: `tcp://:7000 from 192.0.2.7:51234`."""
    if isinstance(address, tuple):
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        return f"{name} from {host}:{address[1]}"
    return f"a peer of {name}"


def remove_if_ours(path: str, sock: socket.socket, made: tuple[int, int]) -> None:
    """Removes a socket's file, unless another process has put its own there meanwhile."""
    try:
        status = os.stat(path)
        if (status.st_dev, status.st_ino) == made:
            os.unlink(path)
    except OSError:
        pass
