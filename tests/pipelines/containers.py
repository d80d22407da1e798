"""Containers made by hand, so that anything in them can be wrong, and read back. Shares no code with what is tested."""

import io
import json
import struct
import time
from pathlib import Path

import fastavro

SCHEMAS = Path(__file__).parents[2] / "sptools" / "schemas"
MARKER = bytes(range(100, 116))
NOW = 1_767_322_800_000_000_000  # ns UTC, in 2026


def long(n):
    """Zigzag and seven bits a byte, as Avro writes an int or long."""
    n = n << 1 if n >= 0 else (-n << 1) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def schema(name):
    return json.loads((SCHEMAS / f"{name}.avsc").read_text())


def header(schema, codec="null", channel="n/x", **meta):
    """`schema`: parsed JSON, or bytes as they are to stand there."""
    entries = {
        "avro.schema": schema if isinstance(schema, bytes) else json.dumps(schema).encode(),
        "avro.codec": codec.encode(),
        "sptools.source": json.dumps({"channel": channel, "device": "test"}).encode(),
        **{k: v.encode() for k, v in meta.items()},
    }
    out = b"Obj\x01" + long(len(entries))
    for key, value in entries.items():
        out += long(len(key)) + key.encode() + long(len(value)) + value
    return out + b"\0" + MARKER


def block(payload, count=1, *, size=None):
    return long(count) + long(len(payload) if size is None else size) + payload + MARKER


def datum(schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def iq(sample=0, n=1000, **fields):
    """The body of an IQ record: a cu8 block of silence unless told otherwise."""
    usual = {"time": NOW + sample * 1000, "time_error": -1, "clock": "sim", "sample": sample, "rate": 1e6, "freq": 100e6,
             "gain": 10.0, "datatype": "cu8", "channels": 1, "data": b"\x7f\x80" * n}  # fmt: skip
    v = usual | fields
    text = v["datatype"].encode()
    return (
        long(v["time"]) + long(v["time_error"]) + long(("none", "ntp", "pps", "sim").index(v["clock"])) + long(v["sample"])
        + struct.pack("<ddd", v["rate"], v["freq"], v["gain"]) + long(len(text)) + text + long(v["channels"])
        + long(len(v["data"])) + v["data"]
    )  # fmt: skip


def blocks_of(data):
    """Whole blocks of a container that may be cut off, as fastavro reads them."""
    found = []
    try:
        for row in fastavro.reader(io.BytesIO(data)):
            found.append(row)
    except (EOFError, ValueError, IndexError):
        pass
    return found


def samples(rows):
    return sum(len(row["data"]) // 2 for row in rows)


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
