"""Messages by way of a NATS server, kept by JetStream. `nats://HOST[:PORT]/SUBJECT/PARTS`."""

from __future__ import annotations

from typing import Annotated, Literal

from sptools.transports._natsin import Input
from sptools.transports._natslink import Place
from sptools.transports._natsout import Output
from sptools.units import File, Name, Seconds, Size, Within

DATAGRAMS = True
WINDOW = 64  # messages


def read(
    place: str,
    *,
    durable: Name | None = None,
    since: Literal["new", "all"] | None = None,
    stream: Name | None = None,
    core: bool = False,
    creds: File | None = None,
    tls: bool = False,
    ca: File | None = None,
    wait: Seconds = 10.0,
) -> Input:
    """From the stream that keeps the subject, in order, each message once; `/` at the end takes all below it.

    The server remembers how far a durable reader came: after an interruption it goes on there, and what it had in hand
    when it was killed comes again.

    Settings:
        durable: name under which the server remembers how far this reader came
        since: what the stream holds already: all of it (as a durable reader does at first), or new messages alone
        stream: the stream to read, where the subject does not tell: a mirror of another server's
        core: without JetStream: what is sent while nobody listens, or while the link is down, is lost without a trace
        creds: file with credentials: those of `nsc`, an NKey seed, user:password, or a token; else NATS_CREDS,
            NATS_TOKEN, NATS_USER and NATS_PASSWORD in the environment are asked
        tls: encrypt, and check the server's certificate
        ca: certificate of the authority that vouches for the server, in PEM
        wait: how long a server may be away at first; later it may be for ever
    Source: NATS client protocol 1.2; JetStream wire API.
    """
    return Input(Place(place, creds, tls, ca, wait), durable, since, stream, core)


def write(
    place: str,
    *,
    stream: Name | None = None,
    max_age: Seconds | None = None,
    max_bytes: Size | None = None,
    window: Annotated[int, Within(1, 256)] = WINDOW,
    size: Annotated[int, Within(16, 1044480)] | None = None,
    core: bool = False,
    creds: File | None = None,
    tls: bool = False,
    ca: File | None = None,
    wait: Seconds = 10.0,
) -> Output:
    """Each message is acknowledged by the stream that keeps it; a server that is away is waited for, without loss.

    With `/` at the end each channel has a subject of its own below it. A stream that nobody has made is made: with
    limits, in files, and full it takes nothing more until its readers' time is over.

    Settings:
        stream: the stream that keeps the subject; one that is made is called like the subject's first part
        max_age: how long a stream that is made keeps a message, by default 1d
        max_bytes: how much it keeps at most, by default 1GB
        window: messages on the way at once; with 1 the order is kept in a cluster too, at the speed of the round trip
        size: bytes of a message of raw samples, each of exactly that many; what is left at the end goes last
        core: without JetStream: what is sent while nobody listens, or while the link is down, is lost without a trace
        creds: file with credentials: those of `nsc`, an NKey seed, user:password, or a token; else NATS_CREDS,
            NATS_TOKEN, NATS_USER and NATS_PASSWORD in the environment are asked
        tls: encrypt, and check the server's certificate
        ca: certificate of the authority that vouches for the server, in PEM
        wait: how long a server may be away at first; later it may be for ever
    Source: NATS client protocol 1.2; JetStream wire API.
    """
    return Output(Place(place, creds, tls, ca, wait), stream, max_age, max_bytes, window, size, core)
