"""Byte streams between processes of one machine: `unix:/run/sptools/kqed`."""

from __future__ import annotations

import os
import socket
import stat

from sptools import errors, log
from sptools.transports._serve import QUEUE, Server
from sptools.transports._stream import CONNECT_s, Input, Link, Output, guard, remove_if_ours
from sptools.transports._stream_many import Listener
from sptools.units import Size

LONGEST = 107  # bytes of a path: sockaddr_un, unix(7)
BACKLOG = 128


def read(place: str, *, listen: bool = False, once: bool = False) -> Input | Listener:
    """From the process that serves this socket, or, listening, from any number of them.

    Settings:
        listen: make the socket and wait for senders rather than connect to it
        once: end when the first connection ends
    Source: unix(7).
    """
    where = Path(place)
    if listen:
        return Listener(where, once)
    if once:
        raise errors.Usage(f"{where.name}: once=yes is for listening: add listen=yes")
    return Input(where.connect())


def write(place: str, *, listen: bool = True, queue: Size | None = None) -> Output | Server:
    """Serves any number of readers on a socket of this name, or connects to the process that listens there.

    Settings:
        listen: make the socket and serve its readers; listen=no connects to one
        queue: what is kept for each reader that is slow, by default 16 MiB
    Source: unix(7).
    """
    where = Path(place)
    if listen:
        return Server(where, QUEUE if queue is None else queue)
    if queue is not None:
        raise errors.Usage(f"{where.name}: queue= is for listening: connected, the stream waits for its peer")
    return Output(where.connect())


def dial(place: str, *, listen: bool = True, queue: Size | None = None) -> Path:
    """A peer that a spool may call again and again."""
    if listen or queue is not None:
        raise errors.Usage(f"unix:{place}: a spool is for a peer that is connected to: add listen=no")
    return Path(place)


class Path:
    """A socket's file. One that nobody listens on any more is replaced; ours is removed at the end."""

    def __init__(self, place: str):
        self.path, self.name = place, f"unix:{place}"
        self._made = (-1, -1)
        if len(os.fsencode(place)) > LONGEST:
            raise errors.Usage(f"{self.name}: a socket's path has at most {LONGEST} bytes: choose a shorter one")

    def connect(self, timeout: float = CONNECT_s) -> Link:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            with guard():
                sock.connect(self.path)
            return Link(sock, self.name)
        except PermissionError as e:
            sock.close()
            raise errors.NoPermission(f"{self.name}: {e.strerror}") from e
        except OSError as e:
            sock.close()
            raise errors.Unavailable(f"{self.name}: {e.strerror or e}: is somebody listening there?") from e
        except BaseException:
            sock.close()
            raise

    def meet(self, sock: socket.socket, name: str) -> Link:
        return Link(sock, name)

    def listen(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._clear()
            sock.bind(self.path)
            sock.listen(BACKLOG)
            status = os.stat(self.path)
        except OSError as e:
            sock.close()
            if isinstance(e, PermissionError):
                raise errors.NoPermission(f"{self.name} may not be made: {e.strerror}") from e
            raise errors.CannotCreate(f"{self.name} cannot be made: {e.strerror}") from e
        except errors.SpError:
            sock.close()
            raise
        self._made = (status.st_dev, status.st_ino)
        log.info(f"listening on {self.path}")
        return sock

    def leave(self, sock: socket.socket) -> None:
        remove_if_ours(self.path, sock, self._made)
        sock.close()

    def _clear(self) -> None:
        """Takes away a socket that its process left behind."""
        try:
            mode = os.lstat(self.path).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise errors.CannotCreate(f"{self.name} cannot be made: something else has this name: choose another")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            try:
                probe.connect(self.path)
            except ConnectionRefusedError:
                os.unlink(self.path)
                return
            except OSError:
                pass
        raise errors.CannotCreate(f"{self.name} is in use by another process: choose another name, or stop that one")
