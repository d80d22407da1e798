"""What the avro tests share: streams in memory, and what a reader made of them."""

import io
import os

from sptools import errors, record
from sptools.formats import avro
from sptools.schemas import built_in

TELEMETRY = {
    "type": "record", "name": "tel",
    "fields": [
        {"name": "time", "type": {"type": "long", "logicalType": "timestamp-nanos"}},
        {"name": "x_V", "type": "double", "unit": "V"},
        {"name": "note", "type": ["null", "string"]},
        {"name": "many", "type": {"type": "array", "items": "int"}},
    ],
}  # fmt: skip


class Source:
    """Bytes as a transport gives them; `step`: at most that many a read, as pipes do."""

    name = "memory"

    def __init__(self, data, step=1 << 30):
        self.f, self.step = io.BytesIO(data), step

    def readinto(self, view):
        return self.f.readinto(view[: self.step])


class Target:
    name = "memory"

    def __init__(self):
        self.data, self.ok = bytearray(), None

    def write(self, *buffers):
        for buffer in buffers:
            self.data += memoryview(buffer).cast("B")

    def close(self, ok=True):
        self.ok = ok


def written(items, **keys):
    target = Target()
    sink = avro.write(target, **keys)
    for item in items:
        sink.put(item)
    sink.close()
    return bytes(target.data)


def got(data, step=1 << 30):
    """(items with data as bytes, the BadData at the end or None)"""
    items = []
    try:
        for item in avro.read(Source(data, step)):
            if isinstance(item, (record.IQ, record.Spectrum)):
                item.data = bytes(item.data)
            elif isinstance(item, record.Rows):
                assert isinstance(item.values, list)  # decodes now
            items.append(item)
    except errors.BadData as e:
        return items, e
    return items, None


def iq(n=8, size=500, seed=0, **more):
    """A Start and `n` blocks of `size` samples."""
    import random

    rng = random.Random(seed)
    items = [record.Start(built_in("IQ"), "site/iq", b"bootboot", source={"device": "test", "channel": "site/iq"})]
    for k in range(n):
        data = rng.randbytes(2 * size)
        items.append(record.IQ(10**18 + k * 1000, k * size, 2.4e6, 99.7e6, 20.0, "cu8", data, **more))
    return items


def messages(n=5):
    fields = {"a": 1, "yes": True, "level_dB": -2.5, "text": "ü"}
    start = record.Start(built_in("Message"), "site/adsb", b"bootboot", source={"channel": "site/adsb"})
    return [start] + [record.Message(10**18 + k, k, 1.09e9, -12.5, "adsb", "8d4840d6", "crc", fields) for k in range(n)]


def spectra(n=3):
    start = record.Start(built_in("Spectrum"), "site/psd", b"bootboot", source={"channel": "site/psd"})
    return [start] + [
        record.Spectrum(10**18, k, 2e6, 1e8, 2e6, 1500.0, 3, "hann", "mean", os.urandom(256), gain=1.0)
        for k in range(n)
    ]


def rows(n=300, at=0):
    start = record.Start(TELEMETRY, "site/tel", b"bootboot", source={"channel": "site/tel"})
    values = [{"time": k, "x_V": k / 8, "note": None if k % 2 else "n", "many": [k, -k]} for k in range(at, at + n)]
    return [start, record.Rows(values)]


def same(a, b):
    if isinstance(a, record.Rows):
        return a.values == b.values
    return a == b
