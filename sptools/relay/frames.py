"""Many frames of equal size at once: which belong together, and what lies in them. Nothing is decoded.

Frames of one channel and boot that have one schema, row count and length differ in their numbers and bodies alone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sptools.formats.avro import frame

MARK = np.frombuffer(frame.MARK, np.uint8)
PASSES = 64  # groups looked for in a batch; frames beyond are taken one by one
FEW = 8
NOT_A_FRAME = (ValueError, IndexError, struct.error)


class Group(NamedTuple):
    """Frames of one source: `first` as `frame.decode` gives it, seqs (n,) int64, bodies (…) of a void dtype, n in all."""

    first: frame.Frame
    seqs: np.ndarray
    bodies: np.ndarray


@lru_cache(64)
def frame_type(size: int, boot: int, head: int) -> np.dtype:
    """A frame of `size` bytes, its boot at `boot`, its body from `head` on."""
    return np.dtype({
        "names": ["head", "seq", "tail", "body"],
        "formats": [f"V{boot + 8}", "<i8", f"V{head - boot - 16}", f"V{size - head}"],
        "offsets": [0, boot + 8, boot + 16, head],
        "itemsize": size,
    })  # fmt: skip


def marked(rows: np.ndarray) -> np.ndarray | None:
    """Which rows begin as frames do; None: all. rows: (slots, n, size)."""
    if rows.shape[2] < 38:
        return np.zeros(rows.shape[:2], bool)
    found = rows[..., :10].view("V10")[..., 0] == MARK.view("V10")[0]
    return None if found.all() else found


def groups(rows: np.ndarray) -> Iterator[Group | list[bytes]]:
    """What belongs together, in the order of first arrival; few, or odd ones, as bytes. rows: (slots, n, size), marked."""
    for _ in range(PASSES):
        first = rows[0, 0].tobytes()
        try:
            parsed = frame.decode(first)
        except NOT_A_FRAME:
            parsed = None
        if parsed is None or not len(parsed.body):
            # one that is none may not keep the others from being taken together
            yield [first]
            rows = rows.reshape(1, -1, rows.shape[2])[:, 1:]
        else:
            size = rows.shape[2]
            kind = frame_type(size, len(frame.begin(parsed.channel)), size - len(parsed.body))
            f = rows.view(kind)[..., 0]
            same = (f["head"] == f["head"][0, 0]) & (f["tail"] == f["tail"][0, 0])
            if same.all():
                yield Group(parsed, f["seq"].ravel(), f["body"])
                return
            yield from _some(parsed, f[same])
            rows = rows[~same][None]
        if rows.shape[1] < FEW:
            break
    if rows.shape[1]:
        yield [row.tobytes() for row in rows[0]]


def _some(parsed: frame.Frame, f: np.ndarray) -> Iterator[Group | list[bytes]]:
    if len(f) < FEW:
        yield [one.tobytes() for one in f]
    else:
        yield Group(parsed, f["seq"], f["body"])
