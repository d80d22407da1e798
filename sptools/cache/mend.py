"""What an index lacks, out of the segment itself: rows for blocks that it does not know, or knows wrongly."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from sptools import codecs, errors
from sptools.cache import layout
from sptools.cache.index import CRC, FIRST, LAST, LOST, MARKER, OFFSET, SIZE, Index, header_of
from sptools.formats.avro import container, varint


def complete(index: Index, fd: int, header: container.Header) -> tuple[np.ndarray, int]:
    """The rows of a segment: those of its index that fit, and for the rest the blocks themselves.

    Returns (rows, end): the blocks lie from the header to `end` without a hole, or there is a hole whose bytes are no
    blocks. A row may reach beyond the end of the file: its block was being written.
    """
    size, at = os.fstat(fd).st_size, header.size
    parts: list[np.ndarray] = []
    rows = index.rows
    if len(rows) and rows[0, OFFSET] == at and (rows[1:, OFFSET] == rows[:-1, OFFSET] + rows[:-1, SIZE]).all():
        if (rows[:, SIZE] > 0).all():
            parts, at = [rows], int(rows[-1, OFFSET] + rows[-1, SIZE])
            rows = rows[:0]
    odd: dict[int, np.ndarray] = {}  # by their offset: what they say of the block there still counts
    for k, row in enumerate(rows):
        offset, length = int(row[OFFSET]), int(row[SIZE])
        linked = k + 1 < len(rows) and offset + length == rows[k + 1, OFFSET]
        if not at <= offset < size or length <= 0 or not (linked or _length(fd, offset) == length):
            odd[offset] = row
            continue
        parts += [_mended(walk(fd, header, at, offset), odd), row[None]]
        at = offset + length
    if at < size:
        parts.append(_mended(walk(fd, header, at, size), odd))
    found = np.concatenate(parts) if parts else np.zeros((0, 8), np.int64)
    return found, int(found[-1, OFFSET] + found[-1, SIZE]) if len(found) else header.size


def _mended(rows: np.ndarray, odd: dict[int, np.ndarray]) -> np.ndarray:
    """Rows made from the segment, with what a damaged row of the same block tells and the block does not."""
    for row in rows:
        if int(row[OFFSET]) in odd:
            row[[FIRST, LAST, LOST, CRC]] = odd[int(row[OFFSET])][[FIRST, LAST, LOST, CRC]]
    return rows


def _length(fd: int, at: int) -> int:
    """Of the block at `at`, as its own frame says."""
    frame = os.pread(fd, 20, at)
    try:
        _, begin = varint.decode(frame, 0)
        size, begin = varint.decode(frame, begin)
    except (IndexError, ValueError):
        return 0
    return begin + size + MARKER


def walk(fd: int, header: container.Header, at: int, stop: int) -> np.ndarray:
    """Rows of the whole blocks from `at` on, up to `stop` or the first bytes that are no block."""
    timed = begins_with_time(header.schema)
    rows = []
    while at < stop:
        frame = os.pread(fd, 20, at)
        try:
            count, begin = varint.decode(frame, 0)
            size, begin = varint.decode(frame, begin)
        except (IndexError, ValueError):
            break
        whole = begin + size + MARKER
        if count < 0 or size < 0 or at + whole > stop:
            break
        block = os.pread(fd, whole, at)
        if len(block) < whole or not block.endswith(header.marker):
            break
        time = first_time(header.codec, memoryview(block)[begin:-MARKER]) if timed and count else 0
        rows.append((at, whole, count, time, 0, 0, 0, codecs.crc32(block)))
        at += whole
    return np.array(rows, np.int64).reshape(-1, 8)


def begins_with_time(schema: Any) -> bool:
    """Whether a record's first bytes are its `time`: then a block's first time needs no decoder."""
    fields = schema.get("fields") if isinstance(schema, dict) else None
    if not fields or fields[0]["name"] != "time":
        return False
    kind = fields[0]["type"]
    return (kind.get("type") if isinstance(kind, dict) else kind) == "long"


def first_time(codec: str, payload: bytes | memoryview) -> int:
    """Of a block whose records begin with their time; 0 where it cannot be read."""
    try:
        return varint.decode(codecs.expand(codec, payload), 0)[0]
    except (IndexError, ValueError, errors.BadData):
        return 0


def rebuild(segment: layout.Segment) -> Index | None:
    """The index of a segment out of the segment alone; None where its header is damaged."""
    with open(segment.path, "rb") as file:
        found = header_of(file.fileno())
        if found is None:
            return None
        raw, header = found
        return Index(raw, walk(file.fileno(), header, header.size, os.fstat(file.fileno()).st_size))
