"""What the tests of the cache share: sources with known contents, and a second opinion on what lies on the disk."""

import io
import random

import fastavro

from sptools.record import IQ, Rows, Start
from sptools.schemas import built_in

T0 = 1_767_323_045_000_000_000  # 2026-01-02T03:04:05Z
BOOT = bytes(range(8))
RATE = 1e6
COUNT = 1000  # samples of a block: 1 ms
ROWS = {
    "type": "record", "name": "rig", "fields": [
        {"name": "time", "type": {"type": "long", "logicalType": "timestamp-nanos"}}, {"name": "volts", "type": "double"},
        {"name": "name", "type": "string"},
    ],
}  # fmt: skip


def start(channel="kqed/iq", **how):
    return Start(built_in("IQ"), channel, **{"boot": BOOT, **how})


def rows_start(channel="n/rig", **how):
    return Start(ROWS, channel, **{"boot": BOOT, **how})


def samples(k):
    """The samples of block `k`, cu8."""
    return random.Random(k).randbytes(2 * COUNT)


def iq(k, sample=None):
    at = k * COUNT if sample is None else sample
    return IQ(time=T0 + at * 1000, sample=at, rate=RATE, freq=1e8, datatype="cu8", data=samples(k))


def row(k):
    return {"time": T0 + k * 10_000_000, "volts": k / 8, "name": f"row {k}"}


def body(k, n=10):
    """`n` rows from 10·k on, encoded by fastavro."""
    out = io.BytesIO()
    for i in range(n):
        fastavro.schemaless_writer(out, fastavro.parse_schema(ROWS), row(10 * k + i))
    return out.getvalue()


def fill_rows(channel, numbers, lost=()):
    """Appends bodies; `lost`: block → frames lost before it."""
    for k in numbers:
        channel.append(body(k), 10, row(10 * k)["time"], T0 + k, dict(lost).get(k, 0))


def by_fastavro(path):
    """Records of a segment as another library reads them."""
    with open(path, "rb") as file:
        return list(fastavro.reader(file))


def got_rows(items):
    return [value for item in items if isinstance(item, Rows) for value in item.values]


def flip(path, at, bits=0x10):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ bits]))
