"""Our own records → bytes, without a general Avro encoder; the samples themselves are not touched."""

from __future__ import annotations

from functools import lru_cache
from struct import pack

from sptools import record
from sptools.formats.avro import varint

long = varint.encode
CLOCK = {name: long(i) for i, name in enumerate(record.CLOCKS)}
VALID = {name: long(i) for i, name in enumerate(record.VALID)}


class Samples:
    """The datum of an `IQ` or `Audio` up to its data. What stays the same from block to block is encoded once."""

    def __init__(self) -> None:
        self._key: tuple = ()
        self._tail = b""

    def head(self, r: record.IQ, size: int) -> bytes:
        """`size`: bytes of the data, which follow."""
        key = (r.rate, r.freq, r.gain, r.datatype, r.channels)
        if key != self._key:  # a gain of NaN compares equal to itself here only when it is the same object, as it is
            self._tail = pack("<ddd", r.rate, r.freq, r.gain) + string(r.datatype) + long(r.channels)
            self._key = key
        return long(r.time) + long(r.time_error) + CLOCK[r.clock] + long(r.sample) + self._tail + long(size)


def spectrum(r: record.Spectrum, size: int) -> bytes:
    """The datum up to its data of `size` bytes."""
    return b"".join((
        long(r.time), long(r.time_error), CLOCK[r.clock], long(r.sample),
        pack("<ddddd", r.rate, r.freq, r.gain, r.span, r.rbw), long(r.averages),
        string(r.window), string(r.detector), string(r.unit), string(r.calibration), string(r.datatype), long(size),
    ))  # fmt: skip


def message(r: record.Message) -> bytes:
    """The whole datum. Names and most values come again and again: they are encoded once (3.5 times as fast)."""
    parts = [
        moment(r.time), long(r.time_error), CLOCK[r.clock], moment(r.sample), pack("<df", r.freq, r.level),
        known(r.protocol), string(r.raw), VALID[r.valid],
    ]  # fmt: skip
    if r.fields:
        parts.append(long(len(r.fields)))
        for key, value in r.fields.items():
            if type(value) is float:  # seldom the same twice
                parts += (known(key), b"\4", pack("<d", value))
            else:
                parts.append(entry(key, value))
    parts.append(b"\0")
    return b"".join(parts)


def string(text: str) -> bytes:
    data = text.encode()
    return long(len(data)) + data


known = lru_cache(4096)(string)


@lru_cache(16384, typed=True)
def entry(key: str, value: bool | int | float | str) -> bytes:
    """Of the map {boolean, long, double, string}; bool first, for a bool is an int."""
    if isinstance(value, bool):
        return string(key) + (b"\0\1" if value else b"\0\0")
    if isinstance(value, int):
        return string(key) + b"\2" + long(value)
    if isinstance(value, float):
        return string(key) + b"\4" + pack("<d", value)
    return string(key) + b"\6" + string(str(value))


def moment(value: int) -> bytes:
    """A long that grows slowly: its high bytes are those of the one before."""
    z = (value << 1) ^ (value >> 63)
    if z < 1 << 28:
        return long(value)
    return bytes((z & 0x7F | 0x80, z >> 7 & 0x7F | 0x80, z >> 14 & 0x7F | 0x80, z >> 21 & 0x7F | 0x80)) + high(z >> 28)


@lru_cache(64)
def high(z: int) -> bytes:
    """The bytes of an unsigned varint."""
    out = bytearray()
    while z > 0x7F:
        out.append(z & 0x7F | 0x80)
        z >>= 7
    out.append(z)
    return bytes(out)
