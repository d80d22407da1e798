"""What a crash left: every open segment is cut to its last whole block and closed, every index made whole."""

from __future__ import annotations

import fcntl
import os
from typing import NamedTuple

import numpy as np

from sptools import codecs, errors
from sptools.cache import index, layout, mend
from sptools.cache.index import CRC, OFFSET, SIZE
from sptools.cache.layout import INDEX, PART, SEGMENT
from sptools.formats.avro.container import Header


class Recovered(NamedTuple):
    """What was done with one segment: `blocks` stay, `cut` bytes of a tail went, `torn` blocks of them in the index."""

    path: str
    what: str  # closed, removed, indexed, busy
    blocks: int
    cut: int
    torn: int

    def __str__(self) -> str:
        if self.what == "busy":
            return f"{self.path} is being written by another process"
        if self.what == "indexed":
            return f"{self.path}: the index was made again, {self.blocks:,} blocks"
        tail = f", a tail of {self.cut:,} bytes was cut" + (f" ({self.torn:,} blocks)" if self.torn else "")
        kept = f"closed with {self.blocks:,} blocks" if self.what == "closed" else "held no whole block and was removed"
        return f"{self.path}: {kept}{tail if self.cut or self.torn else ''}"


def recover(cache: str) -> list[Recovered]:
    """To be called before the first segment is written. What another process has open is left alone."""
    done = []
    try:
        found = layout.segments(cache)
        for segment in found:
            result = _close(segment) if segment.open else _index(segment)
            if result:
                done.append(result)
        known = {segment.index_path for segment in layout.segments(cache)}
        for folder in {segment.folder for segment in found}:
            _sweep(folder, known)
    except OSError as e:
        raise errors.IOFailure(f"{e.filename or cache}: recovery failed: {e.strerror}") from e
    return done


def _close(segment: layout.Segment) -> Recovered | None:
    with open(segment.path, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return Recovered(segment.path, "busy", 0, 0, 0)
        if not os.path.exists(segment.path):
            return None  # its writer has just closed it
        fd = file.fileno()
        status = os.fstat(fd)
        told = index.load(segment.index_path)
        raw, header = _header(fd, told)
        rows, promised = np.zeros((0, 8), np.int64), 0
        if header:
            rows, promised = _whole(told, fd, header)
        if header is None or not len(rows):
            for path in (segment.path, segment.index_path):
                if os.path.exists(path):
                    os.unlink(path)
            layout.sync(segment.folder)
            return Recovered(segment.path, "removed", 0, status.st_size - min(len(raw), status.st_size), promised)
        end = int(rows[-1, OFFSET] + rows[-1, SIZE])
        if os.pread(fd, len(raw), 0) != raw:
            os.pwrite(fd, raw, 0)  # from its copy in the index
        os.ftruncate(fd, end)
        os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))  # retention goes by it
        os.fsync(fd)
        if told is None or told.header != raw or not np.array_equal(told.rows, rows):
            index.write(segment.index_path, index.Index(raw, rows))
        os.rename(segment.path, os.path.join(segment.folder, segment.stem + SEGMENT))
        layout.sync(segment.folder)
        return Recovered(segment.path, "closed", len(rows), status.st_size - end, promised - len(rows))


def _header(fd: int, told: index.Index | None) -> tuple[bytes, Header | None]:
    copy = told.header if told else b""
    header = index.parse(copy) if copy else None
    if header:
        # a file shorter than its header holds nothing
        return copy, header if os.fstat(fd).st_size > len(copy) else None
    return index.header_of(fd) or (b"", None)


def _whole(told: index.Index | None, fd: int, header: Header) -> tuple[np.ndarray, int]:
    """The rows up to the last block that is whole, and how many the index promised. A bad one before it stays."""
    rows, _ = mend.complete(told or index.Index(b"", np.zeros((0, 8), np.int64)), fd, header)
    good = len(rows)
    while good and not sound(fd, rows[good - 1], header.marker):
        good -= 1
    return rows[:good], len(rows)


def sound(fd: int, row: np.ndarray, marker: bytes) -> bool:
    """Whether a block is there, whole, and what it was when it was written."""
    block = os.pread(fd, int(row[SIZE]), int(row[OFFSET]))
    return len(block) == row[SIZE] and block.endswith(marker) and codecs.crc32(block) == row[CRC]


def _index(segment: layout.Segment) -> Recovered | None:
    """A closed segment without a whole index gets one, as far as its blocks can be found."""
    told = index.load(segment.index_path)
    size = os.stat(segment.path).st_size
    if told and told.header and len(told.rows) and told.rows[-1, OFFSET] + told.rows[-1, SIZE] >= size:
        if told.rows[0, OFFSET] == len(told.header) and len(told.rows) == _chained(told.rows):
            return None
    with open(segment.path, "rb") as file:
        raw, header = _header(file.fileno(), told)
        if header is None:
            return None  # damaged beyond what an index can mend: --check tells
        rows, _ = mend.complete(told or index.Index(raw, np.zeros((0, 8), np.int64)), file.fileno(), header)
    if told and told.header == raw and np.array_equal(told.rows, rows):
        return None
    index.write(segment.index_path, index.Index(raw, rows))
    layout.sync(segment.folder)
    return Recovered(segment.path, "indexed", len(rows), 0, 0)


def _chained(rows: np.ndarray) -> int:
    """How many rows follow one another without a hole."""
    breaks = np.flatnonzero(rows[1:, OFFSET] != rows[:-1, OFFSET] + rows[:-1, SIZE])
    return int(breaks[0]) + 1 if len(breaks) else len(rows)


def _sweep(folder: str, known: set[str]) -> None:
    """Indexes whose segment is gone, and those that were not finished."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        stale = name.endswith(INDEX) and path not in known and layout.STEM.fullmatch(name[: -len(INDEX)])
        base = path.removesuffix(INDEX)
        # in this order: a writer renames the first to the second
        if stale and not os.path.exists(base + PART) and not os.path.exists(base + SEGMENT):
            os.unlink(path)
        elif name.endswith(INDEX + ".new"):
            os.unlink(path)
