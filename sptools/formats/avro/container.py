"""The header of an Avro object container: `Obj\\x01`, a map of metadata, a marker of 16 bytes.

Ours carries, beside what Avro asks for, `sptools.source` (JSON), `sptools.boot` (8 bytes), `sptools.first` and
`sptools.lost` (decimal). Source: Avro 1.11 specification, object container files.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from sptools import codecs, errors, limits, record
from sptools.formats.avro import schema as schemas
from sptools.formats.avro import varint
from sptools.formats.avro.window import Window

MAGIC = b"Obj\x01"
MARKER = 16
KEY = 256  # bytes of a metadata key
OURS = ("sptools.source", "sptools.boot", "sptools.first", "sptools.lost")


class Broken(Exception):
    """The framing is not what it should be here; the scanner looks for the next place where it is."""


class CutOff(Broken):
    """The stream ends inside."""


class Header(NamedTuple):
    offset: int
    size: int
    schema: Any
    extent: schemas.Extent
    codec: str
    marker: bytes
    meta: dict[str, bytes]  # all of it, as it stands


def encode(schema: Any, codec: str, marker: bytes, meta: dict[str, bytes]) -> bytes:
    entries = {"avro.schema": schemas.dumps(schema), "avro.codec": codec.encode(), **meta}
    out = bytearray(MAGIC + varint.encode(len(entries)))
    for key, value in entries.items():
        name = key.encode()
        out += varint.encode(len(name)) + name + varint.encode(len(value)) + value
    return bytes(out + b"\0" + marker)


def parse(window: Window) -> Header:
    """The header at the window's position, which moves behind it. Raises Broken; then the position stays.

    A header whose framing holds but whose schema or codec is refused raises BadData, with the position behind it.
    """
    offset = window.offset
    at, entries, marker = _frame(window)
    meta = {}
    for key, a, b in entries:
        meta[key] = bytes(window.view(window.pos + a, window.pos + b))
    window.pos += at
    if "avro.schema" not in meta:
        raise errors.BadData("the header has no schema")
    codec = meta.get("avro.codec", b"null").decode("latin-1") or "null"
    if not codecs.known(codec):
        raise errors.BadData(
            f"codec {codec[:40]!r} is not read here: rewrite the file with one of {', '.join(codecs.NAMES)}"
        )
    schema = schemas.parse(meta["avro.schema"])
    return Header(offset, at, schema, schemas.validate(schema), codec, marker, meta)


def start_of(header: Header) -> record.Start:
    """The record that begins a stream. Foreign containers have no channel, no boot, and begin at 0."""
    meta = dict(header.meta)
    source = _source(meta.get("sptools.source", b""))
    channel = source.get("channel", "")
    own = {key: meta.pop(key) for key in OURS if key in meta}
    for key in ("avro.schema", "avro.codec"):
        meta.pop(key, None)
    boot = _boot(own.get("sptools.boot", b""))
    return record.Start(
        schema=header.schema,
        channel=channel if isinstance(channel, str) else "",
        boot=boot,
        first=_count(own.get("sptools.first", b"0")),
        lost=_count(own.get("sptools.lost", b"0")),
        source=source,
        codec=header.codec,
        meta=meta,
    )


def meta_of(start: record.Start, first: int) -> dict[str, bytes]:
    """The header's metadata of a stream that begins with block `first`."""
    source = {**start.source, "channel": start.channel} if start.channel else start.source
    meta = {k: v for k, v in start.meta.items() if not k.startswith("avro.") and k not in OURS}
    meta["sptools.source"] = json.dumps(source, separators=(",", ":"), ensure_ascii=False).encode()
    meta["sptools.boot"] = start.boot.hex().encode()  # text: fastavro reads every value as UTF-8
    meta["sptools.first"] = b"%d" % first
    if start.lost:
        meta["sptools.lost"] = b"%d" % start.lost
    return meta


def _frame(window: Window) -> tuple[int, list[tuple[str, int, int]], bytes]:
    """Walks the lengths of a header, trusting none. Returns its size, (key, start, stop) of each value, the marker."""
    at = len(MAGIC)
    entries: list[tuple[str, int, int]] = []
    seen: set[str] = set()
    while True:
        count, at = _long(window, at)
        if count == 0:
            break
        if count < 0:  # Avro: a negative count is followed by the bytes of that run
            count = -count
            _, at = _long(window, at)
        if len(entries) + count > limits.HEADER_KEYS:
            raise Broken(f"the header has more than {limits.HEADER_KEYS} entries")
        for _ in range(count):
            size, at = _long(window, at)
            if not 0 <= size <= KEY:
                raise Broken(f"the header has a key of {size:,} bytes")
            key = _bytes(window, at, size).decode("utf-8", "replace")
            if key in seen:
                raise Broken(f"the header has the key {key!r} twice")
            seen.add(key)
            at += size
            size, at = _long(window, at)
            if size < 0 or at + size > limits.HEADER:
                raise Broken(f"the header is longer than {limits.HEADER:,} bytes")
            entries.append((key, at, at + size))
            at += size
    return at + MARKER, entries, _bytes(window, at, MARKER)


def _long(window: Window, at: int) -> tuple[int, int]:
    window.need(at + 10)
    try:
        value, pos = varint.decode(window.buf, window.pos + at)
    except IndexError:
        raise CutOff("the header is cut off") from None
    except ValueError as e:
        raise Broken(f"the header holds {e}") from None
    if pos > window.end:
        raise CutOff("the header is cut off")
    return value, pos - window.pos


def _bytes(window: Window, at: int, size: int) -> bytes:
    if not window.need(at + size):
        raise CutOff("the header is cut off")
    return bytes(window.view(window.pos + at, window.pos + at + size))


def _source(text: bytes) -> dict:
    try:
        source = json.loads(text) if 0 < len(text) <= limits.JSON_BODY else {}
    except (ValueError, RecursionError):
        return {}
    return source if isinstance(source, dict) else {}


def _count(text: bytes) -> int:
    """Decimal digits; anything else counts as 0. A foreign hand may have written it."""
    return int(text) if text.isdigit() and len(text) <= 18 else 0


def _boot(text: bytes) -> bytes:
    """16 hexadecimal digits → 8 bytes; anything else is no boot."""
    try:
        boot = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return b""
    return boot if len(boot) == 8 else b""
