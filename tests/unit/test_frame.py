"""Frames and announcements as bytes: golden ones, and fastavro as the oracle."""

import hashlib
import io
import random
import struct

import fastavro
import pytest

from sptools.errors import BadConfig, BadData
from sptools.formats.avro import announce, container, frame, schema
from sptools.record import Start
from sptools.schemas import built_in

BOOT = bytes(range(1, 9))
ID = bytes(range(16, 24))
GOLDEN = bytes.fromhex(
    "c301" "13bdec141c4172d1"  # single-object mark, fingerprint of Frame
    "06" "726967"  # channel rig
    "0102030405060708" "0201000000000000" "1011121314151617"  # boot, seq 258, schema
    "04" "06" "616263"  # 2 rows in 3 bytes
)  # fmt: skip
SCHEMA = {"type": "record", "name": "tel", "fields": [{"name": "time", "type": "long"}, {"name": "x", "type": "double"}]}
NOT_A_FRAME = (ValueError, IndexError, struct.error)


def encoded(channel="rig", boot=BOOT, seq=258, id=ID, count=2, body=b"abc"):
    return frame.head(frame.begin(channel), boot, seq, id, count, len(body)) + body


def test_golden_bytes():
    assert encoded() == GOLDEN
    assert frame.decode(GOLDEN) == ("rig", BOOT, 258, ID, 2, b"abc")


@pytest.mark.parametrize("name", ["Frame", "IQ", "Audio", "Spectrum", "Message"])
def test_fingerprint_is_that_of_fastavro(name):
    form = fastavro.schema.to_parsing_canonical_form(built_in(name))
    assert schema.canonical(built_in(name)) == form
    assert schema.crc64(form.encode()).hex() == fastavro.schema.fingerprint(form, "CRC-64-AVRO")


def test_the_fingerprint_of_no_bytes_is_the_one_of_the_specification():
    assert schema.crc64(b"")[::-1].hex() == "c15d213aa4d7a795"


def test_a_channel_changes_its_schema_id_with_a_unit():
    other = {**SCHEMA, "fields": [SCHEMA["fields"][0], {"name": "x", "type": "double", "unit": "V"}]}
    assert schema.schema_id(SCHEMA) != schema.schema_id(other)
    text = '{"fields":[{"name":"time","type":"long"},{"name":"x","type":"double"}],"name":"tel","type":"record"}'
    assert schema.schema_id(SCHEMA) == hashlib.sha256(text.encode()).digest()[:8]


@pytest.mark.parametrize("size", [0, 1, 63, 64, 8191, 8192, 65_400])
@pytest.mark.parametrize("channel", ["", "a", "site-01/capture/145350000/x", "n" * 63])
def test_fastavro_reads_a_frame(channel, size):
    body = random.Random(size).randbytes(size)
    data = encoded(channel, seq=2**64 - 1, count=65_536, body=body)
    assert len(data) <= frame.overhead(channel) + size
    read = fastavro.schemaless_reader(io.BytesIO(data[10:]), fastavro.parse_schema(built_in("Frame")))
    assert read == {
        "channel": channel, "boot": BOOT, "seq": b"\xff" * 8, "schema": ID, "count": 65_536, "body": body,
    }  # fmt: skip
    assert frame.decode(data) == (channel, BOOT, 2**64 - 1, ID, 65_536, body)


def test_fastavro_writes_a_frame():
    value = {"channel": "rig", "boot": BOOT, "seq": (258).to_bytes(8, "little"), "schema": ID, "count": 2, "body": b"abc"}
    fo = io.BytesIO()
    fastavro.schemaless_writer(fo, fastavro.parse_schema(built_in("Frame")), value)
    assert frame.MARK + fo.getvalue() == GOLDEN


@pytest.mark.parametrize(
    "data",
    [
        *(GOLDEN[:n] for n in range(len(GOLDEN))),
        GOLDEN + b"\0",
        b"\xc3\x02" + GOLDEN[2:],
        encoded(count=0), encoded(count=-1), encoded(count=65_537),
        encoded("../etc"), encoded("a//b"), encoded("/a"), encoded("a/b/c/d/e"), encoded("n" * 64), encoded("a\0b"),
        encoded("é"), encoded("-a"),
    ],
)  # fmt: skip
def test_what_is_no_frame(data):
    with pytest.raises(NOT_A_FRAME):
        frame.decode(data)


def test_mutated_frames_decode_or_are_refused():
    rng = random.Random(3)
    for _ in range(5000):
        data = bytearray(GOLDEN)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(10, len(data))] = rng.randrange(256)
        try:
            found = frame.decode(bytes(data))
        except NOT_A_FRAME:
            continue
        assert frame.is_channel(found.channel) and 1 <= found.count <= frame.LONGEST


# ------------------------------------------------------------ announcements
START = Start(SCHEMA, "rig", BOOT, source={"channel": "rig", "device": "test"}, meta={"x.note": b"hi"})


def test_an_announcement_is_an_empty_container():
    data = announce.encode(START, 77)
    reader = fastavro.reader(io.BytesIO(data))
    assert list(reader) == [] and reader.writer_schema["name"] == "tel"
    assert reader.metadata["sptools.first"] == "77" and reader.metadata["sptools.boot"] == BOOT.hex()
    header, start = announce.decode(data)
    assert (start.channel, start.boot, start.first, start.meta) == ("rig", BOOT, 77, {"x.note": b"hi"})
    assert announce.schema_of(header) == schema.schema_id(SCHEMA)


def test_a_schema_that_fits_no_announcement_is_refused_with_its_size():
    wide = {**SCHEMA, "doc": "x" * 60_000}
    with pytest.raises(BadConfig, match=r"rig: .* take 60,\d\d\d bytes, .* 60,000"):
        announce.encode(Start(wide, "rig", BOOT), 0)


@pytest.mark.parametrize(
    "data",
    [
        announce.encode(START, 0) + b"x",
        announce.encode(START, 0)[:-1],
        announce.encode(Start(SCHEMA, "rig"), 0),
        announce.encode(Start(SCHEMA, "../rig", BOOT), 0),
        container.encode({"type": "record", "name": "r", "fields": [{"name": "a", "type": "r"}]}, "null", bytes(16), {}),
        b"Obj\x01",
    ],
    ids=["more", "less", "no boot", "no channel", "recursive", "magic"],
)
def test_what_is_no_announcement(data):
    with pytest.raises((BadData, container.Broken)):
        announce.decode(data)
