"""Input made to hurt: no crash, no 64 MiB more, no second, whatever it is (1 MiB at most)."""

import io
import json
import os
import random
import resource
import time
import zlib

import fastavro
import pytest
import zstandard
from avro_memory import TELEMETRY, Source, iq, messages, rows, spectra, written

from sptools import errors, record
from sptools.formats import avro
from sptools.formats.avro import container, varint

FUZZ = os.path.join(os.path.dirname(__file__), "fuzz")
LONG = {"type": "record", "name": "t", "fields": [{"name": "x", "type": "long"}]}
MARKER = bytes(range(16))


def stream(schema, *blocks, codec="null"):
    """A container of (count, payload) blocks; the size can be a lie: (count, payload, size)."""
    text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    out = bytearray(b"Obj\x01" + varint.encode(2))
    for key, value in ((b"avro.schema", text), (b"avro.codec", codec.encode())):
        out += varint.encode(len(key)) + key + varint.encode(len(value)) + value
    out += b"\0" + MARKER
    for count, payload, *size in blocks:
        out += varint.encode(count) + varint.encode(size[0] if size else len(payload)) + payload + MARKER
    return bytes(out)


def drain(data):
    """Reads all, decodes all, keeps nothing. Returns (records, problem or None)."""
    n, problem = 0, None
    try:
        for item in avro.read(Source(data, 1 << 16)):
            if isinstance(item, record.Rows):
                n += len(item.values)
            elif not isinstance(item, record.Start):
                n += 1
    except errors.SpError as e:
        problem = e
    return n, problem


def growth(data):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    n, problem = drain(data)
    took = time.process_time() - begin
    return n, problem, took, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def nested(depth):
    """Records in records, as JSON: json.dumps would recurse."""
    inner = "".join(f'{{"type":"record","name":"r{k}","fields":[{{"name":"x","type":' for k in range(depth))
    return (inner + '"long"' + "}]}" * depth).encode()


def bomb(gib):
    """A zstandard block of zeros, made in pieces; the frame states no size."""
    maker = zstandard.ZstdCompressor(level=1).compressobj()
    zeros = bytes(1 << 22)
    return b"".join(maker.compress(zeros) for _ in range(int(gib * 256))) + maker.flush()


def sized_bomb(size):
    """A frame that states 4 GiB honestly, as far as it goes: header only, then one repeated block."""
    frame = bytearray(b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little"))
    for k in range(size >> 17):
        frame += ((1 << 17) << 3 | 1 << 1 | (k == (size >> 17) - 1)).to_bytes(3, "little") + b"\0"
    return bytes(frame)


def deflate_bomb(mib):
    maker = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"".join(maker.compress(bytes(1 << 20)) for _ in range(mib)) + maker.flush()


RECURSIVE = {"type": "record", "name": "n", "fields": [{"name": "next", "type": ["null", "n"]}]}
LAUGHS = {"type": "record", "name": "l0", "fields": [{"name": "x", "type": "null"}]}
for _k in range(1, 30):
    LAUGHS = {"type": "record", "name": f"l{_k}", "fields": [
        {"name": "a", "type": LAUGHS}, {"name": "b", "type": f"l{_k - 1}"}]}  # fmt: skip


def corpus():
    good = (3, b"\2\4\6")
    yield "zstandard bomb", stream(LONG, (1, bomb(1)), codec="zstandard")
    yield "zstandard bomb 4 GiB that states its size", stream(LONG, (1, sized_bomb(4 << 30)), codec="zstandard")
    yield "deflate bomb", stream(LONG, (1, deflate_bomb(200)), codec="deflate")
    yield "recursive", stream(RECURSIVE, (1, b"\2" * 10_000 + b"\0"))
    yield "deep", stream(nested(900), (1, b"\0"))
    yield "deep brackets", stream(b"[" * 500_000 + b"]" * 500_000, (1, b"\0"))
    yield "deep unions", stream(b'{"type":' * 2000 + b'"long"' + b"}" * 2000, (1, b"\0"))
    yield "array of null", stream({"type": "array", "items": "null"}, (1, varint.encode(1 << 40) + b"\0"))
    yield (
        "array of empty records",
        stream(
            {"type": "array", "items": {"type": "record", "name": "e", "fields": []}},
            (1, varint.encode(1 << 40) + b"\0"),
        ),
    )
    yield "laughs", stream(LAUGHS, (1, b""))
    yield "negative count", stream(LONG, (-3, b"\2\4\6"), good)
    yield "negative size", stream(LONG, (3, b"\2\4\6", -3), good)
    yield "huge count", stream(LONG, (1 << 62, b"\2\4\6"), good)
    yield "huge size", stream(LONG, (3, b"\2\4\6", 1 << 62), good)
    yield "big size", stream(LONG, (3, b"\2\4\6", (16 << 20) - 5), good)
    yield "over the size", stream(LONG, (3, b"\2\4\6", (16 << 20) + 1), good)
    yield "number of eleven bytes", stream(LONG, good) + b"\xff" * 200
    yield "rows of nothing", stream({"type": "record", "name": "e", "fields": []}, (65536, b""))
    yield "too many rows of nothing", stream({"type": "record", "name": "e", "fields": []}, (65537, b""), (1, b""))
    yield "string of negative length", stream({"type": "record", "name": "s", "fields": [
        {"name": "s", "type": "string"}]}, (1, b"\x01abc"), (1, b"\2a"))  # fmt: skip
    yield "bytes of 2^40", stream({"type": "record", "name": "s", "fields": [
        {"name": "s", "type": "bytes"}]}, (1, varint.encode(1 << 40)), (1, b"\2a"))  # fmt: skip
    yield "schema null", stream(b"null", good)
    yield "schema number", stream(b"5", good)
    yield "schema empty", stream(b"", good)
    yield "schema not UTF-8", stream(b'"\xff\xfe"', good)
    yield "schema without fields", stream({"type": "record", "name": "t", "fjelds": []}, good)
    yield "fields not a list", stream({"type": "record", "name": "t", "fields": {"a": 1}}, good)
    yield "fixed of 2^40", stream({"type": "fixed", "name": "f", "size": 1 << 40}, good)
    yield "fixed of true", stream({"type": "fixed", "name": "f", "size": True}, good)
    yield (
        "a name with blanks",
        stream({"type": "record", "name": "a b", "fields": [{"name": "x y", "type": "long"}]}, good),
    )
    yield "unknown codec", stream(LONG, good, codec="xz") + stream(LONG, good)
    yield "a number as attribute of 5,000 digits", stream(b'{"type":"long","n":' + b"9" * 5000 + b"}", good)
    yield "many headers", b"Obj\x01" * 250_000
    yield "headers in headers", b"Obj\x01\x02\x16avro.schema\xfe\xff\x3f" * 50_000
    yield "header of many keys", b"Obj\x01" + varint.encode(1 << 30) + b"\0" * 1_000_000
    yield "markers only", stream(LONG) + MARKER * 65_000
    yield "tiny blocks that lie", stream(LONG) + (b"\2\xfe\xff\x7f" + MARKER) * 50_000
    yield "empty blocks", stream(LONG, *[(0, b"")] * 50_000)
    yield "a million rows of one byte", stream(LONG, (1_000_000, b"\2" * 1_000_000))
    yield (
        "a list of a million",
        stream({"type": "array", "items": "boolean"}, (1, varint.encode(1_000_000) + b"\1" * 1_000_000 + b"\0")),
    )
    yield "lists that swell", stream({"type": "record", "name": "o", "fields": [{"name": "l", "type": {"type": "array", "items": {
        "type": "record", "name": "i", "fields": [{"name": "a", "type": "boolean"}]}}}]},
        (1, varint.encode(1_000_000) + b"\1" * 1_000_000 + b"\0"))  # fmt: skip
    for make in (iq, spectra, messages, rows):
        yield (
            f"{make.__name__} of zeros",
            written(make(0))
            + b"".join(b"\2" + varint.encode(n) + bytes(n) + written(make(0))[-16:] for n in (0, 1, 40, 60, 100, 1000)),
        )


@pytest.mark.parametrize("name, data", list(corpus()), ids=lambda x: x if isinstance(x, str) else "")
def test_hostile(name, data):
    assert len(data) < 1_300_000
    n, problem, took, grown = growth(data)
    assert took < 1 and grown < 64, (took, grown)
    assert n <= 1_000_000
    if name not in ("empty blocks", "rows of nothing", "a million rows of one byte", "a list of a million",
                    "a name with blanks", "a number as attribute of 5,000 digits"):  # fmt: skip
        assert problem is not None


def test_what_follows_a_hostile_container_is_read():
    good = written(iq(3, 100))
    for name, data in corpus():
        if len(data) < 100_000:
            n, _ = drain(data + good)
            assert n >= 3, name


@pytest.mark.parametrize("size, ok", ((16 << 20, True), ((16 << 20) + 1, False)))
@pytest.mark.parametrize("codec", ("deflate", "zstandard"))
def test_expansion_is_capped_at_16_MiB(codec, size, ok):
    from sptools import codecs

    schema = {"type": "record", "name": "b", "fields": [{"name": "b", "type": "bytes"}]}
    head = varint.encode(size - 4)
    body = head + bytes(size - len(head))
    n, problem = drain(stream(schema, (1, bytes(codecs.compress(codec, body))), codec=codec))
    assert (n, problem is None) == ((1, True) if ok else (0, False))


@pytest.mark.parametrize("depth, ok", ((31, True), (32, True), (33, False)))
def test_depth_is_capped(depth, ok):
    n, problem = drain(stream(nested(depth - 1), (1, b"\2")))
    assert (n == 1 and problem is None) == ok


def test_header_is_capped():
    for pad, ok in ((-2000, True), (100, False)):
        schema = json.dumps(LONG | {"doc": "x" * ((2 << 20) + pad)}).encode()
        n, problem = drain(stream(schema, (1, b"\2")) + stream(LONG, (1, b"\2")))
        assert (n, problem is None) == ((2, True) if ok else (1, False))


def seeds():
    """Small streams of every kind and codec, and what earlier runs found."""
    for make in (iq, spectra, messages, rows):
        for codec in ("null", "deflate", "zstandard"):
            yield written(make(4, 40) if make is iq else make(4), codec=codec)
    for name in sorted(os.listdir(FUZZ)):
        if name.endswith(".avro"):
            with open(os.path.join(FUZZ, name), "rb") as f:
                yield f.read()
    file = io.BytesIO()
    fastavro.writer(file, TELEMETRY, [{"time": 1, "x_V": 2.0, "note": "a", "many": [1]}] * 20)
    yield file.getvalue()


def mutate(data, rng):
    data = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, 0x4F))
        elif kind == 2:
            del data[at : at + rng.randrange(1, 40)]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 4:
            data[at : at + rng.randrange(9)] = varint.encode(rng.getrandbits(rng.randrange(1, 64)))
        else:
            b = rng.randrange(len(data) + 1)
            data[at:at] = data[b : b + rng.randrange(60)]
    return bytes(data)


def test_mutations_raise_nothing_but_ours():
    count = int(os.environ.get("SP_SOAK", "20000"))
    rng = random.Random(int(os.environ.get("SP_SEED", "3")))
    pool = list(seeds())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for k in range(count):
        data = mutate(rng.choice(pool), rng)
        begin = time.process_time()
        try:
            drain(data)
        except Exception as e:
            with open(os.path.join(FUZZ, f"found-{k}.avro"), "wb") as f:
                f.write(data)
            raise AssertionError(f"mutation {k}: {e!r}") from e
        assert time.process_time() - begin < 1, k
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_magic_is_what_the_specification_says():
    assert container.MAGIC == b"Obj\x01"
