"""The index of a segment: an Avro row a block, and in its header a copy of the segment's.

A row is written just before its block. So after a crash the index is never behind the segment: it tells which block is
torn, even where a power failure left a hole full of zeros, and no count of lost frames goes with the tail. Each row is an
Avro block of its own; damage costs the rows that it hits, which `mend.complete` restores from the segment.
"""

from __future__ import annotations

import base64
import os
from typing import NamedTuple

import numpy as np

from sptools import codecs, errors, limits
from sptools.formats.avro import container, varint
from sptools.formats.avro.window import Window
from sptools.schemas import built_in

FIELDS = ("offset", "size", "count", "time", "first_arrival", "last_arrival", "lost", "crc32")
OFFSET, SIZE, COUNT, TIME, FIRST, LAST, LOST, CRC = range(8)
MARKER = container.MARKER


class Index(NamedTuple):
    """`header`: the segment's own, as bytes, b"" where it is not known. `rows`: int64 (blocks, 8), columns as FIELDS."""

    header: bytes
    rows: np.ndarray


class Memory:
    """Bytes as a source for the reader of containers."""

    def __init__(self, data: bytes, name: str = ""):
        self.name, self._data, self._at = name, data, 0

    def readinto(self, view: memoryview) -> int:
        part = self._data[self._at : self._at + len(view)]
        view[: len(part)] = part
        self._at += len(part)
        return len(part)


class Piece(Memory):
    """A file from its beginning on, without a descriptor of its own."""

    def __init__(self, fd: int, name: str = ""):
        super().__init__(b"", name)
        self._fd = fd

    def readinto(self, view: memoryview) -> int:
        got = os.preadv(self._fd, (view,), self._at)
        self._at += got
        return got


# ------------------------------------------------------------ bytes
def head(header: bytes, marker: bytes) -> bytes:
    """The beginning of the index of a segment with this header."""
    copy = base64.b64encode(codecs.compress("deflate", header))
    meta = {"sptools.header": copy, "sptools.header_crc32": b"%d" % codecs.crc32(header)}
    return container.encode(built_in("Index"), "null", marker, meta)


def encode(row: tuple[int, ...], marker: bytes) -> bytes:
    """A row as a block."""
    body = b"".join(map(varint.encode, row))
    return b"\2" + varint.encode(len(body)) + body + marker


def decode(rows: list[bytes]) -> np.ndarray:
    """Encoded rows → int64 (n, 8). A row that is none is left out."""
    n = len(rows)
    body = np.frombuffer(b"".join(rows), np.uint8)
    ends = np.flatnonzero(body < 0x80)
    sizes = np.diff(ends, prepend=-1)
    edges = np.cumsum([len(row) for row in rows])
    if len(ends) != 8 * n or (ends[7::8] + 1 != edges).any() or (sizes > 10).any():
        kept = [one for row in rows if len(one := _slowly(row)) == 8]
        return np.array(kept, np.int64).reshape(-1, 8)
    if not n:
        return np.zeros((0, 8), np.int64)
    starts = ends - sizes + 1
    # seven bits a byte, shifted by its place in its number, summed number by number: 5 times as fast as byte by byte
    place = np.arange(len(body)) - np.repeat(starts, sizes)
    value = np.add.reduceat((body & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64), starts)
    return ((value >> np.uint64(1)).view(np.int64) ^ -(value & np.uint64(1)).view(np.int64)).reshape(-1, 8)


def _slowly(row: bytes) -> list[int]:
    values, at = [], 0
    try:
        while at < len(row):
            value, at = varint.decode(row, at)
            values.append(value)
    except (IndexError, ValueError):
        return []
    return values


# ------------------------------------------------------------ files
def load(path: str) -> Index | None:
    """What an index file says, as far as it is sound; None: it is not there, or its header is damaged."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        window = Window(Memory(data, path))
        header = container.parse(window)
    except (OSError, container.Broken, errors.BadData):
        return None
    rows = []
    for block in data[header.size :].split(header.marker)[:-1]:
        n = len(block) - 2
        if 0 < n < 64 and block[0] == 2 and block[1] == n << 1:  # as nearly all are: one row, its size in one byte
            rows.append(block[2:])
        elif n > 0 and block[0] == 2:
            try:
                size, at = varint.decode(block, 1)
            except (IndexError, ValueError):
                continue
            if size == len(block) - at:
                rows.append(block[at:])
    return Index(_copy(header.meta), decode(rows))


def _copy(meta: dict[str, bytes]) -> bytes:
    try:
        header = codecs.expand("deflate", base64.b64decode(meta["sptools.header"], validate=True), limits.HEADER + 64)
        return bytes(header) if codecs.crc32(header) == int(meta["sptools.header_crc32"]) else b""
    except (KeyError, ValueError, errors.BadData):
        return b""


def write(path: str, index: Index) -> None:
    """A whole index, durable, in place of what was there. The caller makes the folder durable."""
    marker = os.urandom(MARKER)
    rows = b"".join(encode(row, marker) for row in index.rows.tolist())
    with open(path + ".new", "wb") as file:
        file.write(head(index.header, marker) + rows)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def header_of(fd: int) -> tuple[bytes, container.Header] | None:
    """A segment's header as it stands in the file; None where it is damaged."""
    try:
        header = container.parse(Window(Piece(fd)))
    except (container.Broken, errors.BadData):
        return None
    return os.pread(fd, header.size, 0), header


def parse(header: bytes) -> container.Header | None:
    """A header's bytes taken apart."""
    try:
        return container.parse(Window(Memory(header)))
    except (container.Broken, errors.BadData):
        return None


# ------------------------------------------------------------ questions
def find(rows: np.ndarray, since: int | None, until: int | None, end: int = 0) -> tuple[int, int]:
    """The blocks (from, to) that can hold records of [since, until) ns.

    A block reaches to the next one's first record, the last one to `end` (0: nobody knows how far). One block more in
    front, for rows that came a little out of order.
    """
    if not len(rows):
        return 0, 0
    low, high = since if since is not None else -(1 << 63), until if until is not None else (1 << 63) - 1
    begin = begins(rows)
    known = begin != 0
    after = np.append(begin[1:], end)
    hit = ~known | ((begin < high) & ((after == 0) | (np.maximum(after, begin) >= low)))
    hits = np.flatnonzero(hit)
    if not len(hits):
        return 0, 0
    first = int(hits[0])
    return max(0, first - (since is not None and bool(known[first]))), int(hits[-1]) + 1


def begins(rows: np.ndarray) -> np.ndarray:
    """When each block begins, ns UTC: by its first record, else by its arrival, else 0."""
    return np.where(rows[:, TIME] != 0, rows[:, TIME], rows[:, FIRST])
