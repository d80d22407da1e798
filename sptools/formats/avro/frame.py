"""A frame: rows of one channel in one datagram, with a number by which a lost one shows.

    C3 01 · fingerprint · length, channel · boot (8) · seq (8, little-endian) · schema (8) · count · length, body

Avro's single-object encoding of `Frame`. Source: Avro 1.11 specification; schemas/Frame.avsc.
"""

from __future__ import annotations

import re
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from sptools.formats.avro import schema as schemas
from sptools.formats.avro import varint

MARK = b"\xc3\x01" + schemas.crc64(schemas.canonical(schemas.built_in("Frame")).encode())
NUMBERS = Struct("<8sQ8s")  # boot, seq, schema
MOST = 65_507  # bytes of a datagram: 65,535 less the headers of IPv4 and UDP
LONGEST = 65_536  # rows in a frame
SEGMENT = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"
CHANNEL = re.compile(rf"(?:{SEGMENT}(?:/{SEGMENT}){{0,3}})?")  # "": unnamed


class Frame(NamedTuple):
    channel: str
    boot: bytes
    seq: int
    schema: bytes  # as `schema_id` gives it
    count: int  # type: ignore[assignment]  # a tuple has a method of that name
    body: memoryview


def is_channel(name: str) -> bool:
    """Whether a channel may be called so; the unnamed one may."""
    return CHANNEL.fullmatch(name) is not None


@lru_cache(256)
def begin(channel: str) -> bytes:
    """What all frames of a channel begin with."""
    name = channel.encode()
    return MARK + varint.encode(len(name)) + name


def head(start: bytes, boot: bytes, seq: int, schema: bytes, count: int, size: int) -> bytes:
    """A frame up to its body of `size` bytes. `start`: what `begin` gives."""
    return start + NUMBERS.pack(boot, seq, schema) + varint.encode(count) + varint.encode(size)


def overhead(channel: str) -> int:
    """The most bytes that a frame of this channel has before a body that fits a datagram."""
    return len(begin(channel)) + NUMBERS.size + 3 + 3


def decode(datagram: bytes) -> Frame:
    """Takes a frame apart. ValueError, IndexError or struct.error: it is none."""
    if not datagram.startswith(MARK):
        raise ValueError("not a frame")
    size, at = varint.decode(datagram, 10)
    if not 0 <= size <= 255:
        raise ValueError(f"a channel's name of {size} bytes")
    channel = _name(datagram[at : at + size])
    boot, seq, schema = NUMBERS.unpack_from(datagram, at + size)
    count, at = varint.decode(datagram, at + size + NUMBERS.size)
    size, at = varint.decode(datagram, at)
    if at + size != len(datagram):
        raise ValueError("the body does not fill the datagram")
    if not 1 <= count <= LONGEST:
        raise ValueError(f"{count} rows")
    return Frame(channel, boot, seq, schema, count, memoryview(datagram)[at:])


@lru_cache(1024)
def _name(text: bytes) -> str:
    name = text.decode("ascii")
    if not is_channel(name):
        raise ValueError("not a channel's name")
    return name
