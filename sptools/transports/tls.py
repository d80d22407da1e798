"""Byte streams over TLS: like tcp, encrypted, and the peer is who its certificate says. There is no insecure way."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from sptools import errors
from sptools.transports._serve import QUEUE, Server
from sptools.transports._stream import CONNECT_s, Input, Link, Output, guard
from sptools.transports._stream_inet import Internet
from sptools.transports._stream_many import Listener
from sptools.units import File, Size

LATER = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)


def read(
    place: str, *, listen: bool | None = None, once: bool = False, cert: File | None = None, key: File | None = None,
    ca: File | None = None, name: str | None = None,
) -> Input | Listener:  # fmt: skip
    """From one peer, or, listening, from any number of them, one after the other and at once.

    Settings:
        listen: listen on this address rather than connect to it; without a host, and on 0.0.0.0 and [::], always
        once: end when the first connection ends
        cert: file with our certificate and its chain (PEM); a listener needs one
        key: file with its private key (PEM)
        ca: file with the authorities that we trust, by default the system's; a listener then asks peers for certificates
        name: what the peer's certificate must say, by default the host
    Source: RFC 8446.
    """
    where = Tls(place, listen, cert, key, ca, name)
    if where.listening:
        return Listener(where, once)
    if once:
        raise errors.Usage(f"{where.name}: once=yes is for listening")
    return Input(where.connect())


def write(
    place: str, *, listen: bool | None = None, queue: Size | None = None, cert: File | None = None,
    key: File | None = None, ca: File | None = None, name: str | None = None,
) -> Output | Server:  # fmt: skip
    """To one peer, without loss while it is there; or, listening, to any number of readers.

    Settings:
        listen: listen on this address rather than connect to it; without a host, and on 0.0.0.0 and [::], always
        queue: what a listener keeps for each reader that is slow, by default 16 MiB
        cert: file with our certificate and its chain (PEM); a listener needs one
        key: file with its private key (PEM)
        ca: file with the authorities that we trust, by default the system's; a listener then asks peers for certificates
        name: what the peer's certificate must say, by default the host
    Source: RFC 8446.
    """
    where = Tls(place, listen, cert, key, ca, name)
    if where.listening:
        return Server(where, QUEUE if queue is None else queue)
    if queue is not None:
        raise errors.Usage(f"{where.name}: queue= is for listening: connected, the stream waits for its peer")
    return Output(where.connect())


def dial(
    place: str, *, listen: bool | None = None, queue: Size | None = None, cert: File | None = None,
    key: File | None = None, ca: File | None = None, name: str | None = None,
) -> Tls:  # fmt: skip
    """A peer that a spool may call again and again."""
    where = Tls(place, listen, cert, key, ca, name)
    if where.listening or queue is not None:
        raise errors.Usage(f"{where.name}: a spool is for a peer that is connected to; readers of a listener come and go")
    return where


class Tls(Internet):
    """An address with its certificates, read before anybody connects."""

    def __init__(
        self, place: str, listen: bool | None, cert: str | None, key: str | None, ca: str | None, name: str | None
    ):
        super().__init__("tls", place, listen)
        if self.listening and not (cert and key):
            raise errors.Usage(f"{self.name}: who listens needs a certificate: add cert=FILE,key=FILE")
        if bool(cert) != bool(key):
            raise errors.Usage(f"{self.name}: a certificate and its key go together: cert=FILE,key=FILE")
        if self.listening and name:
            raise errors.Usage(f"{self.name}: name= is for connecting")
        self.peer = name or self.host
        purpose = ssl.Purpose.CLIENT_AUTH if self.listening else ssl.Purpose.SERVER_AUTH
        try:
            self.context = ssl.create_default_context(purpose, cafile=ca)
            if cert:
                self.context.load_cert_chain(cert, key, _no_password)
        except (OSError, ValueError) as e:  # ssl.SSLError is an OSError
            files = " ".join(f for f in (cert, key, ca) if f)
            raise errors.BadConfig(f"{self.name}: {files}: {getattr(e, 'strerror', None) or e}") from e
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.listening and ca:
            self.context.verify_mode = ssl.CERT_REQUIRED

    def wrap(self, sock: socket.socket) -> Link:
        return self._shake(sock, self.name, server_hostname=self.peer)

    def meet(self, sock: socket.socket, name: str) -> Link:
        sock.settimeout(CONNECT_s)
        return self._shake(sock, name, server_side=True)

    def _shake(self, sock: socket.socket, name: str, **how: Any) -> Link:
        try:
            with guard():
                return TlsLink(self.context.wrap_socket(sock, suppress_ragged_eofs=False, **how), name)
        except ssl.SSLCertVerificationError as e:
            raise errors.NoPermission(f"{name}: the peer's certificate is refused: {e.verify_message}") from e
        except OSError as e:
            raise errors.Unavailable(f"{name}: no TLS with this peer: {e.strerror or e}") from e


class TlsLink(Link):
    """As a link; but that a peer refuses our certificate shows only when it is read from."""

    sock: ssl.SSLSocket

    def send(self, views: list[memoryview]) -> int:
        # one record holds 16 KiB; what was refused must be offered again as it was
        try:
            return self.sock.send(views[0][:65536])
        except LATER:
            return 0
        except OSError as e:
            raise self.lost(e) from e

    def receive(self, view: memoryview) -> int | None:
        try:
            return self.sock.recv_into(view)
        except LATER:
            return None
        except ssl.SSLZeroReturnError:  # both have said the end
            return 0
        except ssl.SSLEOFError as e:
            if self.said_end:  # what the peer might have added is of no interest
                return 0
            raise self.lost(e) from e
        except OSError as e:
            raise self.lost(e) from e

    def lost(self, e: OSError) -> Any:
        if isinstance(e, ssl.SSLError) and "CERTIFICATE" in (e.reason or ""):
            return errors.NoPermission(f"{self.name}: the peer refuses our certificate: {e.reason}")
        return super().lost(e)

    def half_close(self) -> None:
        """Says the end in TLS, so that the peer knows that nothing is missing."""
        self.said_end = True
        try:
            self.sock.unwrap()
        except (*LATER, OSError, ValueError):
            pass


def _no_password() -> str:
    """A key that is encrypted is refused rather than asked for: nobody sits there."""
    raise ValueError("the key is encrypted: give one that is not, readable by this user alone")
