"""Our own records → bytes, without a general Avro encoder; the samples themselves are not touched."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from struct import Struct, pack

import numpy as np

from sptools import record
from sptools.formats.avro import varint

long = varint.encode
CLOCK = {name: long(i) for i, name in enumerate(record.CLOCKS)}
VALID = {name: long(i) for i, name in enumerate(record.VALID)}
LONG = 1024  # bytes of a message; with 16,384 entries at most 16 MiB are kept
_SEVENS = np.arange(0, 64, 7, dtype=np.uint64)
_FREQ_LEVEL, _DOUBLE = Struct("<df").pack, Struct("<d").pack


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


class Messages:
    """Messages that wait to be written together. `size`: about how many bytes they will be, `count`: how many they are.

    Names and most values come again and again: they are encoded once (3.5 times as fast). Times and sample numbers are
    encoded all together (twice as fast).
    """

    def __init__(self) -> None:
        self.size = self.count = 0
        self._times: list[int] = []
        self._samples: list[int] = []
        self._between: list[bytes] = []  # time and sample
        self._after: list[bytes] = []

    def add(self, r: record.Message) -> None:
        fields = r.fields
        parts = [_FREQ_LEVEL(r.freq, r.level), known(r.protocol), string(r.raw), VALID[r.valid]]
        if fields:
            parts.append(short(len(fields)))
            for key, value in fields.items():
                if type(value) is float:  # seldom the same twice
                    parts += (double(key), _DOUBLE(value))
                else:
                    parts.append(entry(key, value))
        parts.append(b"\0")
        after = b"".join(parts)
        if len(after) > LONG:
            forget()
        self._times.append(r.time)
        self._samples.append(r.sample)
        self._between.append(short(r.time_error) + CLOCK[r.clock])
        self._after.append(after)
        self.size += len(after) + 20
        self.count += 1

    def body(self) -> bytes:
        """The data, one after the other."""
        columns = zip(moments(self._times), self._between, moments(self._samples), self._after, strict=True)
        return b"".join(chain.from_iterable(columns))


def message(r: record.Message) -> bytes:
    """One datum."""
    one = Messages()
    one.add(r)
    return one.body()


def forget() -> None:
    """After a long message, which may be hostile: its texts must not stay in memory."""
    for cached in (known, double, entry):
        cached.cache_clear()


def string(text: str) -> bytes:
    data = text.encode()
    return short(len(data)) + data


short = lru_cache(4096)(long)  # of values that come again
known = lru_cache(4096)(string)


@lru_cache(4096)
def double(key: str) -> bytes:
    """What stands before a double in the map."""
    return string(key) + b"\4"


@lru_cache(16384, typed=True)
def entry(key: str, value: bool | int | float | str) -> bytes:
    """Of the map {boolean, long, double, string}; bool first, for a bool is an int."""
    if isinstance(value, bool):
        return string(key) + (b"\0\1" if value else b"\0\0")
    if isinstance(value, int):
        return string(key) + b"\2" + long(value)
    if isinstance(value, float):
        return double(key) + _DOUBLE(value)
    return string(key) + b"\6" + string(str(value))


def moments(values: list[int]) -> list[bytes]:
    """As `varint.encode` for each of many int64."""
    v = np.array(values, np.int64)
    z = ((v << 1) ^ (v >> 63)).view(np.uint64)[:, None]
    rest = z >> _SEVENS
    more = rest > 0x7F
    data = (rest.astype(np.uint8) & 0x7F | more.astype(np.uint8) << 7).tobytes()
    return [data[at : at + 1 + n] for at, n in zip(range(0, 10 * len(v), 10), more.sum(axis=1).tolist(), strict=True)]
