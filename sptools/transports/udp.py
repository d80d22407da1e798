"""Datagrams over UDP: to one address, or to a multicast group. `udp://HOST:PORT`."""

from __future__ import annotations

from typing import Annotated

from sptools.transports._udpin import Input
from sptools.transports._udpout import Output
from sptools.units import Name, Within

DATAGRAMS = True
MTU = 1400  # with the headers of IP and UDP, and those of most tunnels, less than Ethernet's 1500


def read(place: str, *, iface: Name | None = None, from_: list[str] = []) -> Input:  # noqa: B006
    """Listens. Without a host it hears this machine alone; 0.0.0.0 hears all, a multicast group is joined.

    Settings:
        iface: join the multicast group on this interface: its name, or an address of it
        from: hear these networks alone, such as 192.168.1.0/24; what others send is counted
    """
    return Input(place, iface, from_)


def write(
    place: str,
    *,
    iface: Name | None = None,
    ttl: Annotated[int, Within(0, 255)] | None = None,
    mtu: Annotated[int, Within(128, 65507)] = MTU,
) -> Output:
    """Sends, to one receiver or to a multicast group.

    Settings:
        iface: send to the multicast group by this interface: its name, or an address of it
        ttl: how many networks a datagram may cross; to a multicast group it is 1, so that it stays in the first
        mtu: bytes of a datagram; 8900 suits networks with jumbo frames, 65507 is the most
    Examples:
        sp-capture sim:telemetry,pace=0 -n 100 -o udp://127.0.0.1:26000
        sp-capture sim:tone,pace=0 -s 1M -n 10k -o udp://239.1.1.1:6000,iface=lo,mtu=8900
    """
    return Output(place, iface, ttl, mtu)
