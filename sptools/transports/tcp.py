"""Byte streams over TCP: `tcp://HOST:PORT` connects, `tcp://:PORT` listens."""

from __future__ import annotations

from sptools.errors import Usage
from sptools.transports._serve import QUEUE, Server
from sptools.transports._stream import Input, Output
from sptools.transports._stream_inet import Internet
from sptools.transports._stream_many import Listener
from sptools.units import Size


def read(place: str, *, listen: bool | None = None, once: bool = False) -> Input | Listener:
    """From one peer, or, listening, from any number of them, one after the other and at once.

    `tcp://:7000` listens for this machine only; an address such as 0.0.0.0 opens it to others. A listener ends with
    SIGTERM or --duration.

    Settings:
        listen: listen on this address rather than connect to it; without a host, and on 0.0.0.0 and [::], always
        once: end when the first connection ends
    Source: RFC 9293.
    """
    where = Internet("tcp", place, listen)
    if where.listening:
        return Listener(where, once)
    if once:
        raise Usage(f"{where.name}: once=yes is for listening")
    return Input(where.connect())


def write(place: str, *, listen: bool | None = None, queue: Size | None = None) -> Output | Server:
    """To one peer, without loss while it is there; or, listening, to any number of readers.

    A reader that is too slow for its queue loses whole blocks and sees it; the others lose nothing.

    Settings:
        listen: listen on this address rather than connect to it; without a host, and on 0.0.0.0 and [::], always
        queue: what a listener keeps for each reader that is slow, by default 16 MiB
    Source: RFC 9293.
    """
    where = Internet("tcp", place, listen)
    if where.listening:
        return Server(where, QUEUE if queue is None else queue)
    if queue is not None:
        raise Usage(f"{where.name}: queue= is for listening: connected, the stream waits for its peer")
    return Output(where.connect())


def dial(place: str, *, listen: bool | None = None, queue: Size | None = None) -> Internet:
    """A peer that a spool may call again and again."""
    where = Internet("tcp", place, listen)
    if where.listening or queue is not None:
        raise Usage(f"{where.name}: a spool is for a peer that is connected to; readers of a listener come and go")
    return where
