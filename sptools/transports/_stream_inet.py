"""Internet addresses of byte streams: `//HOST:PORT`, `//[::1]:7000`, `//:7000`."""

from __future__ import annotations

import errno
import re
import socket

from sptools import errors, log
from sptools.transports._stream import CONNECT_s, Link, guard

ADDRESS = re.compile(r"//(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|([^:/\[\]]*)):(\d{1,5})")
ANYWHERE = ("0.0.0.0", "::")
BACKLOG = 128


class Internet:
    """An address and what to do there. `listen`: None means where no host is named, and on 0.0.0.0 and ::."""

    def __init__(self, scheme: str, place: str, listen: bool | None = None):
        self.name = f"{scheme}:{place}"
        found = ADDRESS.fullmatch(place)
        if not found or int(found[3]) > 65535:
            raise errors.Usage(f"{self.name}: write {scheme}://HOST:PORT, or {scheme}://:PORT to listen on this machine")
        self.host, self.port = found[1] or found[2], int(found[3])
        self.listening = listen if listen is not None else self.host in ("", *ANYWHERE)
        if not self.listening and (not self.host or self.host in ANYWHERE):
            raise errors.Usage(f"{self.name}: which host should be connected to?")
        if not self.listening and not self.port:
            raise errors.Usage(f"{self.name}: port 0 is nobody's: name the peer's port")

    def connect(self, timeout: float = CONNECT_s) -> Link:
        try:
            with guard():
                sock = socket.create_connection((self.host, self.port), timeout)
        except socket.gaierror as e:
            raise errors.Unavailable(f"{self.name}: the host is not known ({e.strerror}): check its name") from e
        except OSError as e:
            raise self.refused(e) from e
        try:
            return self.wrap(sock)
        except BaseException:
            sock.close()
            raise

    def wrap(self, sock: socket.socket) -> Link:
        return Link(sock, self.name)

    def meet(self, sock: socket.socket, name: str) -> Link:
        return Link(sock, name)

    def listen(self) -> socket.socket:
        host = self.host or "127.0.0.1"
        try:
            family, _, _, _, address = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as e:
            raise errors.Unavailable(f"{self.name}: cannot listen there: {e.strerror or e}") from e
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if host == "::":
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind(address)
            sock.listen(BACKLOG)
        except OSError as e:
            sock.close()
            if e.errno in (errno.EACCES, errno.EPERM):
                raise errors.NoPermission(f"{self.name}: may not listen there: take a port above 1023") from e
            raise errors.Unavailable(f"{self.name}: cannot listen there: {e.strerror}") from e
        self.port = sock.getsockname()[1]
        if not self.host:
            log.notice(f"listening on 127.0.0.1:{self.port}, for this machine only (//0.0.0.0:{self.port} is for all)")
        else:
            log.info(f"listening on {self.host}:{self.port}")
        return sock

    def leave(self, sock: socket.socket) -> None:
        sock.close()

    def refused(self, e: OSError) -> errors.SpError:
        if isinstance(e, PermissionError):
            return errors.NoPermission(f"{self.name}: {e.strerror}")
        why = "no answer" if isinstance(e, TimeoutError) else e.strerror or str(e)
        return errors.Unavailable(f"{self.name}: {why}: is it running there?")
