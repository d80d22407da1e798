"""The chunks of a RIFF or RF64 file: the header of a WAV file, read and written.

    RIFF size WAVE [JUNK 28 …] fmt 16 … [fact 4 …] data size …        sizes little-endian, chunks padded to even lengths

RF64 (EBU Tech 3306): sizes 0xFFFFFFFF, and the true ones as 64-bit numbers in a `ds64` chunk, which takes the place of
`JUNK`. A writer that cannot seek leaves 0xFFFFFFFF in a RIFF file: to the end of the stream.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from sptools.errors import BadData

UNKNOWN = 0xFFFFFFFF
# sox and others leave numbers a little below 2³¹ when they cannot seek
DOUBTFUL = 0x7FFFF000
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
FMT_LARGEST = 4096
SKIP = 1 << 16  # bytes read at once from a chunk that nobody wants
HEADERS_LARGEST = 1 << 26  # bytes before `data`; cover art and cue lists are far smaller


class Layout(NamedTuple):
    """What a header says. `length`: bytes of samples, None: until the end; `sure`: fewer mean a cut file."""

    tag: int
    channels: int
    rate: int
    bits: int
    length: int | None
    sure: bool


def read_header(take: Callable[[int], bytes], name: str) -> Layout:
    """Reads up to the first sample. `take(n)` gives n bytes, fewer only at the end."""
    head = take(12)
    form, kind = head[:4], head[8:12]
    if form not in (b"RIFF", b"RF64", b"BW64") or kind != b"WAVE":
        raise BadData(f"{name} is not a WAV file: it begins with {head[:12]!r}, not with RIFF … WAVE")
    large: int | None = None
    shape: tuple[int, int, int, int] | None = None
    skipped = 0
    while True:
        start = take(8)
        if len(start) < 8:
            raise BadData(f"{name} ends inside its header, before any sample")
        key, size = start[:4], struct.unpack("<I", start[4:])[0]
        if key == b"data":
            if shape is None:
                raise BadData(f"{name}: the data chunk comes before fmt, so nothing says what it means")
            length = large if size == UNKNOWN else size
            if length in (None, 0):
                return Layout(*shape, None if length is None or form == b"RIFF" else 0, False)
            return Layout(*shape, length, length < DOUBTFUL or form != b"RIFF")
        if key == b"fmt ":
            if not 16 <= size <= FMT_LARGEST:
                raise BadData(f"{name}: a fmt chunk of {size} bytes")
            shape = _parse_fmt(exactly(take, size + size % 2, name), name)
        elif key == b"ds64" and form != b"RIFF" and 28 <= size <= FMT_LARGEST:
            large = struct.unpack_from("<Q", exactly(take, size + size % 2, name), 8)[0]
        else:
            skipped += size + 8
            if skipped > HEADERS_LARGEST:
                raise BadData(f"{name}: {skipped:,} bytes of {key!r} and other chunks come before the samples")
            left = size + size % 2
            while left:
                left -= len(exactly(take, min(left, SKIP), name))


def exactly(take: Callable[[int], bytes], n: int, name: str) -> bytes:
    data = take(n)
    if len(data) < n:
        raise BadData(f"{name} ends inside its header, before any sample")
    return data


def _parse_fmt(fmt: bytes, name: str) -> tuple[int, int, int, int]:
    tag, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", fmt)
    if tag == EXTENSIBLE and len(fmt) >= 26:
        tag = struct.unpack_from("<H", fmt, 24)[0]  # the first bytes of the sub-format's GUID are the old tag
    if (tag, bits) not in ((PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)):
        raise BadData(f"{name}: coding {tag} with {bits} bits is not read, only PCM of 8, 16, 24, 32 bits and float")
    if not 1 <= channels <= 256 or not rate or align != channels * bits // 8:
        raise BadData(f"{name}: {channels} channels of {bits} bits in {align} bytes at {rate} Hz cannot be")
    return tag, channels, rate, bits


def header(tag: int, channels: int, rate: int, bits: int, data: int | None, *, room: bool) -> bytes:
    """All bytes before the samples. `data`: their number, None: unknown. `room`: keep 36 bytes for RF64,
    whatever the size, so that a header can replace the one before."""
    align = channels * bits // 8
    fmt = b"fmt " + struct.pack("<IHHIIHH", 16, tag, channels, rate, min(rate * align, UNKNOWN), align, bits)
    frames = UNKNOWN if data is None else min(data // align, UNKNOWN)
    fact = b"fact" + struct.pack("<II", 4, frames) if tag == FLOAT else b""
    rest = len(b"WAVE") + 36 * room + len(fmt) + len(fact) + 8
    if data is None:
        form, junk, sizes = b"RIFF", b"JUNK" + struct.pack("<I", 28) + bytes(28), (UNKNOWN, UNKNOWN)
    elif rest + data + data % 2 < UNKNOWN:
        form, junk, sizes = b"RIFF", b"JUNK" + struct.pack("<I", 28) + bytes(28), (rest + data + data % 2, data)
    else:
        ds64 = struct.pack("<IQQQI", 28, rest + data + data % 2, data, data // align, 0)
        form, junk, sizes = b"RF64", b"ds64" + ds64, (UNKNOWN, UNKNOWN)
    return b"".join([form, struct.pack("<I", sizes[0]), b"WAVE", junk * room, fmt, fact, b"data", struct.pack("<I", sizes[1])])
