"""RTL-SDR dongles elsewhere on the network, through rtl_tcp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from sptools.units import PPM, Gain, Live, Rate, Tuned, Within

from .. import errors
from ._rtlrange import FREQ, RATE

if TYPE_CHECKING:
    from ._rtlsocket import TcpReceiver

PORT = 1234


def rtltcp(
    address: str = "//localhost:1234",
    *,
    freq: Annotated[Live[Tuned], Within(0, 2.3e9)] = 100e6,
    rate: Annotated[Rate, Within(225001, 3.2e6)] = 2.4e6,
    gain: Live[Gain] = float("nan"),
    ppm: Annotated[Live[PPM], Within(-1000, 1000)] = 0.0,
    bias_tee: bool = False,
    agc: bool = False,
) -> TcpReceiver:
    """An RTL-SDR dongle behind rtl_tcp.

    `rtltcp://host:1234` with a name, an IPv4 or a `[bracketed]` IPv6 address; the port is 1234 unless given, the host
    this one. rtl_tcp knows no password: whoever reaches the port can tune. Datatype cu8. Samples are not numbered: what
    the server or its dongle loses is estimated from the clock, seconds later. A server that is silent for 3 s or hangs
    up ends with exit status 69; nothing reconnects by itself, that is the supervisor's part.

    Settings:
        freq: frequency that the tuner is set to
        rate: samples per second, 225001 to 300000 or 900001 to 3200000
        gain: gain of the tuner, the nearest that it has; auto lets the tuner choose
        ppm: error of the crystal, in whole ppm
        bias_tee: put 4.5 V on the antenna socket while connected
        agc: digital gain control of the RTL2832U
    Source: rtl_tcp.c of librtlsdr 0.6.0
    """
    from ._rtlsocket import TcpReceiver

    host, port = split(address)
    return TcpReceiver(
        host,
        port,
        freq=FREQ if freq is None else freq,
        rate=RATE if rate is None else rate,
        gain=float("nan") if gain is None else gain,
        ppm=ppm or 0.0,
        bias_tee=bool(bias_tee),
        agc=bool(agc),
    )


def split(address: str) -> tuple[str, int]:
    """Host and port of `//host:port`."""
    place = address.removeprefix("//").rstrip("/")
    if place.startswith("["):
        host, bracket, tail = place[1:].partition("]")
        port, good = tail.removeprefix(":"), bool(bracket) and (not tail or tail.startswith(":"))
    else:
        host, _, port = place.partition(":")
        good = ":" not in port
    if not good or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise errors.Usage(f"rtltcp:{address} is not an address: write rtltcp://host:1234 or rtltcp://[::1]:1234")
    return host or "localhost", int(port or PORT)
