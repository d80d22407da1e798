"""A socket that sends datagrams to one address."""

from __future__ import annotations

import errno
import socket
import struct
import time
from typing import Any

from sptools import log
from sptools.errors import BadConfig, IOFailure, NoPermission, Unavailable, Usage
from sptools.transports import _udpaddress

PATIENCE_s = 1  # for room in the sending buffer
RETRIES = 20
# no room for PATIENCE_s, a cable, a rule of a firewall
PASSING = (errno.EAGAIN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EPERM)


class Output:
    """One `write`, one datagram. `notes` counts: `refused` by the receiver's machine, `unsent` by ours."""

    def __init__(self, place: str, iface: str | None = None, ttl: int | None = None, mtu: int = 1400):
        address = _udpaddress.parse(place)
        if ttl == 0 and not address.group:
            raise Usage(f"udp:{place}: ttl=0 keeps a multicast group on this machine; one address needs 1 or more")
        self.name = f"udp://{address}"
        self.path = None
        self.mtu = mtu
        self.refused = self.unsent = 0
        interface = _udpaddress.interface(iface, address)
        self._socket = socket.socket(address.family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._aim(address, interface, ttl)
        except BaseException:
            self._socket.close()
            raise

    def write(self, *buffers: Any) -> None:
        """Sends all of `buffers` as one datagram. What the network refuses for now is counted, not raised."""
        for _ in range(RETRIES):
            try:
                self._socket.sendmsg(buffers)
                return
            except ConnectionRefusedError:
                self.refused += 1  # says so of an earlier datagram; this one has not been sent
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    time.sleep(0.001)
                elif error.errno in PASSING:
                    break
                else:
                    raise self._failed(error, sum(memoryview(b).nbytes for b in buffers)) from error
        self.unsent += 1

    @property
    def notes(self) -> dict[str, int]:
        return {name: n for name, n in (("refused", self.refused), ("unsent", self.unsent)) if n}

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self, ok: bool = True) -> None:
        self._socket.close()

    # ------------------------------------------------------------ inside
    def _aim(self, address: _udpaddress.Address, interface: _udpaddress.Interface, ttl: int | None) -> None:
        s, six = self._socket, address.family == socket.AF_INET6
        level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
        try:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", PATIENCE_s, 0))
            if address.group:
                hops = 1 if ttl is None else ttl
                s.setsockopt(level, socket.IPV6_MULTICAST_HOPS if six else socket.IP_MULTICAST_TTL, hops)
                if interface.name:
                    which = interface.index if six else bytes(4) + interface.mreqn
                    s.setsockopt(level, socket.IPV6_MULTICAST_IF if six else socket.IP_MULTICAST_IF, which)
            elif ttl is not None:
                s.setsockopt(level, socket.IPV6_UNICAST_HOPS if six else socket.IP_TTL, ttl)
            s.connect(address._replace(scope=interface.index or address.scope).sockaddr)
        except PermissionError:
            raise NoPermission(f"{self.name}: a broadcast address; nothing is broadcast here: take a multicast group") from None
        except OSError as error:
            hint = ": name an interface, iface=eth0 (iface=lo for this machine alone)" if address.group else ""
            raise Unavailable(f"{self.name}: {error.strerror}{hint}") from None
        if address.group and not interface.name:
            log.notice(f"{self.name}: goes out by the interface with the address {s.getsockname()[0]}; iface= names another")

    def _failed(self, error: OSError, size: int) -> Exception:
        if error.errno == errno.EMSGSIZE:
            return BadConfig(f"{self.name}: a datagram of {size:,} bytes is too long for this network: give a smaller mtu=")
        if error.errno == errno.EACCES:
            return NoPermission(f"{self.name}: {error.strerror}")
        return IOFailure(f"{self.name}: sending failed: {error.strerror}")
