"""Addresses of datagrams: host and port, multicast groups, interfaces, allowed sources."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import NamedTuple

from sptools.errors import NoInput, Unavailable, Usage

PLACE = re.compile(r"//(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:/\[\]]*)):(?P<port>[0-9]+)/?")
LOOPBACK = "127.0.0.1"
CONTROL = ipaddress.ip_network("224.0.0.0/24")  # routing protocols live there, and no router passes it on


class Address(NamedTuple):
    family: int
    host: str  # numeric
    port: int
    group: bool
    assumed: bool  # no host was given
    scope: int  # index of the interface, of a link-local IPv6 address

    @property
    def sockaddr(self) -> tuple:
        return (self.host, self.port) if self.family == socket.AF_INET else (self.host, self.port, 0, self.scope)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.family == socket.AF_INET else f"[{self.host}]:{self.port}"


def parse(place: str) -> Address:
    """`//HOST:PORT`, `//:PORT` (loopback), `//[IPv6]:PORT`."""
    found = PLACE.fullmatch(place)
    if not found:
        raise Usage(f"udp:{place}: write udp://HOST:PORT, an IPv6 address in brackets")
    port = int(found["port"])
    if not 0 < port < 65536:
        raise Usage(f"udp:{place}: port {port} is not between 1 and 65535")
    host = found["six"] or found["host"] or ""
    family, number, scope = _resolve(host, place) if host else (socket.AF_INET, LOOPBACK, 0)
    address = ipaddress.ip_address(number)
    if address in CONTROL:
        raise Usage(f"udp:{place}: 224.0.0.0/24 is reserved for routing: take a group of 239.0.0.0/8")
    if address == ipaddress.ip_address("255.255.255.255"):
        raise Usage(f"udp:{place}: nothing is broadcast here, every machine would have to look at it: take a multicast group")
    return Address(family, number, port, address.is_multicast, not host, scope)


def _resolve(host: str, place: str) -> tuple[int, str, int]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"udp:{place}: {host} has no address: {getattr(error, 'strerror', error)}") from None
    family, _, _, _, sockaddr = found[0]
    # of an IPv6 address the scope stands behind %, and once more as a number
    return family, str(sockaddr[0]).partition("%")[0], int(sockaddr[3]) if family == socket.AF_INET6 else 0  # type: ignore[misc]


class Interface(NamedTuple):
    """Where multicast goes out or comes in: by its index, or by an address of it (IPv4)."""

    name: str
    index: int  # type: ignore[assignment]  # a tuple has a method of that name
    address: str

    @property
    def mreqn(self) -> bytes:
        """What follows the group in struct ip_mreqn."""
        return socket.inet_aton(self.address) + self.index.to_bytes(4, "little")


def interface(name: str | None, address: Address) -> Interface:
    """The interface that `iface=` names; none: index 0, the kernel chooses."""
    if name is None:
        return Interface("", address.scope, "0.0.0.0")
    if not address.group:
        raise Usage(f"iface={name} is for multicast groups; {address.host} is none, its route says where it goes")
    try:
        if address.family == socket.AF_INET:
            return Interface(name, 0, str(ipaddress.IPv4Address(name)))
    except ValueError:
        pass
    try:
        return Interface(name, socket.if_nametoindex(name), "0.0.0.0")
    except OSError:
        there = ", ".join(each for _, each in socket.if_nameindex())
        raise NoInput(f"iface={name}: there is no such interface; there are {there}") from None


class Allowed:
    """Which sources are heard. Asks the address library once for each."""

    MOST = 4096  # sources remembered

    def __init__(self, networks: list[str]):
        self.networks = []
        for text in networks:
            try:
                self.networks.append(ipaddress.ip_network(text.strip(), strict=False))
            except ValueError:
                raise Usage(f"from={text}: not a network: write 192.168.1.0/24, or one address") from None
        self.known: dict[str, bool] = {}

    def __call__(self, host: str) -> bool:
        allowed = self.known.get(host)
        if allowed is None:
            if len(self.known) >= self.MOST:
                self.known.clear()
            address = ipaddress.ip_address(host.partition("%")[0])
            mapped = getattr(address, "ipv4_mapped", None) or address
            allowed = self.known[host] = any(mapped in network for network in self.networks)
        return allowed
