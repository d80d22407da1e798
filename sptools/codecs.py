"""The door of zlib and zstandard: compress a block, expand one under a cap that holds while it expands."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from sptools import errors, limits

if TYPE_CHECKING:
    import zstandard

NAMES = ("null", "deflate", "zstandard")
LEVEL = 1  # the fastest of each: samples are noise, and telemetry compresses well at any level
# A frame that does not state its size makes the decoder keep a window; level 19 asks for 8 MiB.
WINDOW = 32 * limits.MiB
SIP = 256  # bytes; four of them can stand for 128 KiB


def known(codec: str) -> bool:
    return codec in NAMES


def compress(codec: str, data: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
    """`data` as an Avro block's payload under `codec`; `null` hands it back untouched."""
    if codec == "null":
        return data
    if codec == "deflate":
        import zlib

        # Avro's deflate is raw (RFC 1951): no zlib header, no checksum
        deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
        return deflate.compress(data) + deflate.flush()
    if codec == "zstandard":
        return _compressor().compress(data)
    raise errors.Usage(f"codec {codec!r} is not known: use one of {', '.join(NAMES)}")


def expand(codec: str, data: bytes | memoryview, cap: int = limits.EXPANDED) -> bytes | memoryview:
    """The payload of a block in the clear, at most `cap` bytes.

    Raises BadData where it is damaged or would grow beyond `cap`; never more than about `cap` bytes are held.
    """
    if codec == "null":
        return data
    if codec == "deflate":
        return _inflate(data, cap)
    if codec == "zstandard":
        return _unzstd(data, cap)
    raise errors.BadData(f"codec {codec!r} is not read here: rewrite the file with one of {', '.join(NAMES)}")


def crc32(data: bytes | bytearray | memoryview, before: int = 0) -> int:
    """CRC-32 (IEEE 802.3) of `data`, going on from that of what came `before`."""
    return _crc32()(data, before)


@cache
def _crc32() -> Callable[[bytes | bytearray | memoryview, int], int]:
    try:
        from isal.isal_zlib import crc32  # ten times as fast, where it is installed

        return crc32
    except ImportError:
        from zlib import crc32 as plain

        return plain


def _inflate(data: bytes | memoryview, cap: int) -> bytes:
    import zlib

    inflate = zlib.decompressobj(-15)
    try:
        out = inflate.decompress(data, cap + 1)
    except zlib.error as e:
        raise errors.BadData(f"deflate: {e}") from e
    if len(out) > cap:
        raise _too_big("deflate", cap)
    if not inflate.eof:
        raise errors.BadData("deflate: the compressed data ends too early")
    return out


def _unzstd(data: bytes | memoryview, cap: int) -> bytes:
    import zstandard

    try:
        size = zstandard.frame_content_size(data)
        if size > cap:
            raise _too_big("zstandard", cap)
        if size >= 0:
            # max_output_size is ignored when a frame states its size, hence the look at the size first
            try:
                return _decompressor().decompress(data, allow_extra_data=False)
            except zstandard.ZstdError:
                pass  # several frames in one block, or damage: the slow way tells
        return _unzstd_slowly(data, cap)
    except zstandard.ZstdError as e:
        raise errors.BadData(f"zstandard: {e}") from e


def _unzstd_slowly(data: bytes | memoryview, cap: int) -> bytes:
    """Any frames, fed in sips: what one sip becomes stays near the cap, and a frame that ends too early shows."""
    parts, total, rest = [], 0, memoryview(data)
    while rest:
        frame, pos = _decompressor().decompressobj(), 0
        while not frame.eof:
            if pos >= len(rest):
                raise errors.BadData("zstandard: the compressed data ends too early")
            part = frame.decompress(rest[pos : pos + SIP])
            pos += SIP
            parts.append(part)
            total += len(part)
            if total > cap:
                raise _too_big("zstandard", cap)
        rest = rest[min(pos, len(rest)) - len(frame.unused_data) :]
    return b"".join(parts)


def _too_big(codec: str, cap: int) -> errors.BadData:
    return errors.BadData(f"{codec}: a block grows beyond {cap:,} bytes; such a block is not expanded")


@cache
def _compressor() -> zstandard.ZstdCompressor:
    import zstandard

    # a codec is no checksum unless it is told to be one: 4 bytes a block find every flip
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)


@cache
def _decompressor() -> zstandard.ZstdDecompressor:
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=WINDOW)
