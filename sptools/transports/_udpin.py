"""A socket that listens for datagrams."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import struct

from sptools import log
from sptools.errors import IOFailure, NoPermission, Unavailable
from sptools.transports import _block, _udpaddress
from sptools.transports._block import blocking

BUFFER = 64 << 20  # bytes asked for: a second of 500 Mbit/s; the default of 208 KiB holds 92 datagrams
BATCH = 256  # datagrams handed on at once
LONGEST = 65_535
SO_RCVBUFFORCE, SO_MEMINFO, SO_ATTACH_FILTER = 33, 55, 26  # asm-generic/socket.h
IP_MULTICAST_ALL, IPV6_MULTICAST_ALL = 49, 29  # linux/in.h, linux/in6.h
MEMINFO = struct.Struct("9I")  # the last: datagrams that found no room


class Input:
    """Iterates by `batch`. `dropped`: by the kernel, at least; `refused`: from sources that are not heard."""

    live = True

    def __init__(self, place: str, iface: str | None = None, sources: list[str] | tuple = ()):
        address = _udpaddress.parse(place)
        self.name = f"udp://{address}"
        self.path = None
        self.refused = 0
        self._dropped = 0
        self._allowed = _udpaddress.Allowed(list(sources)) if sources else None
        self.stopped = False
        interface = _udpaddress.interface(iface, address)
        self._socket = socket.socket(address.family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        # a file that select sees at once: it wakes a wait that a signal could not end
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            self._listen(address, interface)
        except BaseException:
            self.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)
        _block.live.append(self.stop)
        if address.assumed:
            log.notice(f"{self.name}: hears this machine alone; udp://0.0.0.0:{address.port} hears others too")

    def batch(self, timeout: float | None = None) -> list[bytes] | None:
        """Datagrams that are there; waits for the first, `timeout` s at most (then []). None: stopped, nothing is left."""
        out = self._take()
        if out:
            return out
        if self.stopped:
            return None
        with blocking():
            self._poll.poll(None if timeout is None else timeout * 1000)
        out = self._take()
        return None if self.stopped and not out else out

    def stop(self) -> None:
        """No more from the network; what has arrived can still be read, then comes None. Safe in a signal handler."""
        if not self.stopped:
            self._dropped = self.dropped  # the filter's own refusals are no loss
            self.stopped = True
            self._deafen()
            os.eventfd_write(self._wake, 1)

    @property
    def dropped(self) -> int:
        """Buffers that found no room in the kernel: at least so many datagrams."""
        if self.stopped or self._socket.fileno() < 0:
            return self._dropped
        return MEMINFO.unpack(self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size))[8]

    @property
    def notes(self) -> dict[str, int]:
        counts = {"kernel_drops": self.dropped, "refused": self.refused}
        return {name: n for name, n in counts.items() if n}

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        if self.stop in _block.live:
            _block.live.remove(self.stop)
        if self._socket.fileno() >= 0:
            self._dropped = self.dropped
            self._socket.close()
            os.close(self._wake)

    # ------------------------------------------------------------ inside
    def _take(self) -> list[bytes]:
        """What is there now, `BATCH` datagrams at most."""
        out: list[bytes] = []
        receive = self._socket.recv
        try:
            if self.stopped:
                with blocking():  # a deadline ends this too
                    pass
            if self._allowed is None:
                while len(out) < BATCH:
                    out.append(receive(LONGEST, socket.MSG_DONTWAIT))
            else:
                self._take_allowed(out, self._allowed)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise IOFailure(f"{self.name}: {error.strerror}") from error
        return out

    def _take_allowed(self, out: list[bytes], allowed: _udpaddress.Allowed) -> None:
        for _ in range(BATCH):
            data, source = self._socket.recvfrom(LONGEST, socket.MSG_DONTWAIT)
            if allowed(source[0]):
                out.append(data)
            else:
                self.refused += 1

    def _listen(self, address: _udpaddress.Address, interface: _udpaddress.Interface) -> None:
        self._make_room()
        s = self._socket
        try:
            if address.group:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self._join(address, interface)
            if address.family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address.host == "::" else 1)
            scope = interface.index or address.scope
            s.bind(address._replace(scope=scope).sockaddr)
        except PermissionError as error:
            raise NoPermission(f"{self.name} may not be listened to: {error.strerror}") from None
        except OSError as error:
            raise Unavailable(f"{self.name} cannot be listened to: {_why(error)}") from None

    def _join(self, address: _udpaddress.Address, interface: _udpaddress.Interface) -> None:
        s = self._socket
        group = socket.inet_pton(address.family, address.host)
        if address.family == socket.AF_INET:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + interface.mreqn)
            # what others on this machine joined, there and elsewhere, is not ours
            s.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
        else:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("I", interface.index or address.scope))
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
            if interface.name:  # Linux looks at the group alone, not at where it was joined
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.name.encode())

    def _make_room(self) -> None:
        """A large buffer; one that is much smaller than asked for is reported, for then a short pause loses datagrams."""
        s = self._socket
        try:
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        except PermissionError:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        granted = s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # Linux tells the double
        if granted < BUFFER:
            log.notice(
                f"{self.name}: the receive buffer has {granted >> 10:,} KiB, {BUFFER >> 10:,} were asked for; "
                f"sysctl net.core.rmem_max={BUFFER} grants them"
            )

    def _deafen(self) -> None:
        """Puts a filter before the buffer that lets nothing in: a program of one instruction, return 0."""
        program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
        fprog = struct.pack("HL", 1, ctypes.addressof(program))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)


def _why(error: OSError) -> str:
    if error.errno == errno.ENODEV:
        return "no interface leads to that group: name one, iface=eth0 (iface=lo for this machine alone)"
    return error.strerror or str(error)
