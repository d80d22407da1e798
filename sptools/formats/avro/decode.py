"""Our own records out of a block's payload, without a general Avro decoder: samples stay where they were read.

Every function takes `payload`, a view of bytes, and the position of a datum in it, and returns the record and the position
behind it. IndexError, ValueError, KeyError and struct.error all mean: this is not such a record.
"""

from __future__ import annotations

import math
from struct import Struct

from sptools import record
from sptools.formats.avro import varint

THREE = Struct("<ddd")
FIVE = Struct("<ddddd")
ONE = Struct("<d")
FLOAT = Struct("<f")
HEAD = 512  # bytes that hold all of a record but its data; names in it are short
long = varint.decode


class Samples:
    """Decodes `IQ` or `Audio`. What stays the same from block to block (rate to the size of the data) is compared."""

    def __init__(self, name: str):
        self._make = record.IQ if name == "IQ" else record.Audio
        self._complex = name == "IQ"
        self._tail = b""
        self._same: tuple = ()
        self._size = 0

    def one(self, payload: memoryview, pos: int) -> tuple[record.IQ, int]:
        time, time_error, clock, sample, at, size = self.head(payload, pos)
        stop = at + size
        if stop > len(payload):
            raise IndexError("the samples are cut off")
        rate, freq, gain, datatype, channels, _ = self._same
        data = payload[at:stop]
        return self._make(time, sample, rate, freq, gain, datatype, data, channels, time_error, clock), stop

    def head(self, payload: memoryview, pos: int) -> tuple[int, int, str, int, int, int]:
        """time, time_error, clock, sample, then where the data begin and their bytes."""
        head = bytes(payload[pos : pos + HEAD])
        time, p = long(head, 0)
        if head.startswith(b"\1\0", p):  # usually: time_error unknown (-1), clock none
            time_error, clock, p = -1, 0, p + 2
        else:
            time_error, p = long(head, p)
            clock, p = long(head, p)
        sample, p = long(head, p)
        if not head.startswith(self._tail, p) or not self._tail:
            self._parse(head, p)
        if not 0 <= clock < 4:
            raise ValueError(f"clock is {clock}")
        return time, time_error, record.CLOCKS[clock], sample, pos + p + len(self._tail), self._size

    def piece(self, of: tuple[int, int, str, int], done: int, data: memoryview) -> record.IQ:
        """A part of a long block: `of` as `head` gave it, `done` bytes of it before these `data`."""
        time, time_error, clock, sample = of
        rate, freq, gain, datatype, channels, frame = self._same
        index = done // frame
        # exact in integers where the rate is one: floats resolve 256 ns in the nanoseconds of our days
        num, den = float(rate).as_integer_ratio()
        time += (2 * index * 1_000_000_000 * den + num) // (2 * num)
        return self._make(time, sample + index, rate, freq, gain, datatype, data, channels, time_error, clock)

    @property
    def frame(self) -> int:
        """Bytes of one sample of all channels."""
        return self._same[5]

    def _parse(self, head: bytes, p: int) -> None:
        start = p
        rate, freq, gain = THREE.unpack_from(head, p)
        datatype, p = _string(head, p + 24)
        channels, p = long(head, p)
        if not (math.isfinite(rate) and rate > 0 and math.isfinite(freq)):
            raise ValueError(f"a rate of {rate} at {freq} Hz")
        if not 1 <= channels <= 1024 or record.is_complex(datatype) != self._complex:
            raise ValueError(f"{channels} channels of {datatype}")
        frame = record.sample_size(datatype) * channels
        size, p = long(head, p)
        if size < 0 or size % frame:
            raise ValueError("the samples do not fit their type")
        self._size = size
        self._same = (rate, freq, gain, datatype, channels, frame)
        self._tail = head[start:p]


def spectrum(payload: memoryview, pos: int) -> tuple[record.Spectrum, int]:
    head = bytes(payload[pos : pos + HEAD])
    time, time_error, clock, sample, p = _common(head, 0)
    rate, freq, gain, span, rbw = FIVE.unpack_from(head, p)
    averages, p = long(head, p + 40)
    window, p = _string(head, p)
    detector, p = _string(head, p)
    unit, p = _string(head, p)
    calibration, p = _string(head, p)
    datatype, p = _string(head, p)
    size, p = long(head, p)
    start = pos + p
    if not (math.isfinite(rate) and rate > 0 and math.isfinite(freq) and math.isfinite(span) and span >= 0):
        raise ValueError(f"a rate of {rate} at {freq} Hz")
    if size < 0 or record.is_complex(datatype) or size % record.sample_size(datatype):
        raise ValueError("the bins do not fit their type")
    if start + size > len(payload):
        raise IndexError("the bins are cut off")
    return record.Spectrum(
        time, sample, rate, freq, span, rbw, averages, window, detector, payload[start : start + size],
        unit, calibration, datatype, gain, time_error, clock,
    ), start + size  # fmt: skip


def message(payload: bytes, pos: int) -> tuple[record.Message, int]:
    """`payload` as bytes: a message is read byte by byte."""
    time, time_error, clock, sample, p = _common(payload, pos)
    (freq,) = ONE.unpack_from(payload, p)
    (level,) = FLOAT.unpack_from(payload, p + 8)
    protocol, p = _string(payload, p + 12)
    raw, p = _string(payload, p)
    valid, p = long(payload, p)
    if not 0 <= valid < len(record.VALID):
        raise ValueError(f"valid is {valid}")
    fields: dict[str, bool | int | float | str] = {}
    while True:
        count, p = long(payload, p)
        if count == 0:
            break
        if count < 0:
            count = -count
            _, p = long(payload, p)
        if count > len(payload):
            raise ValueError(f"{count} fields")
        for _ in range(count):
            key, p = _string(payload, p)
            fields[key], p = _value(payload, p)
    return record.Message(
        time, sample, freq, level, protocol, raw, record.VALID[valid], fields, time_error, clock
    ), p  # fmt: skip


def _common(head: bytes, p: int) -> tuple[int, int, str, int, int]:
    time, p = long(head, p)
    time_error, p = long(head, p)
    clock, p = long(head, p)
    sample, p = long(head, p)
    if not 0 <= clock < 4:
        raise ValueError(f"clock is {clock}")
    return time, time_error, record.CLOCKS[clock], sample, p


def _value(payload: bytes, p: int) -> tuple[bool | int | float | str, int]:
    branch, p = long(payload, p)
    if branch == 0:
        return payload[p] != 0, p + 1
    if branch == 1:
        return long(payload, p)
    if branch == 2:
        return ONE.unpack_from(payload, p)[0], p + 8
    if branch == 3:
        return _string(payload, p)
    raise ValueError(f"a value of kind {branch}")


def _string(payload: bytes, p: int) -> tuple[str, int]:
    size, p = long(payload, p)
    stop = p + size
    if size < 0 or stop > len(payload):
        raise IndexError("a text is cut off")
    return payload[p:stop].decode(), stop
