"""IQ in a WAV file, as SDR programs write it: I left, Q right. Source: RIFF WAVE; EBU Tech 3306 (RF64)."""

from __future__ import annotations

import os
import struct

from sptools.errors import BadData, NoInput, Usage

from ._recording import Recording, Segment, open_file

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
TYPES = {(PCM, 8): "cu8", (PCM, 16): "ci16_le", (FLOAT, 32): "cf32_le"}
CHUNKS = 1000  # more chunks than this before the samples is no WAV


def iqwav(path: str) -> Recording:
    """The header is read here and never sent as samples."""
    handle, size = open_file(path)
    with os.fdopen(handle, "rb") as file:
        if size == 0:
            raise NoInput(f"{path} is empty")
        if size is None:
            raise Usage(f"{path}: IQ in WAV is read from a file only; a pipe takes raw samples, like cu8:-,rate=2.4M")
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
            raise BadData(f"{path} is not a WAV file")
        layout = None
        for _ in range(CHUNKS):
            name, length = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
            if name == b"fmt " and length >= 16:
                layout = struct.unpack("<HHIIHH", file.read(16).ljust(16, b"\0"))
                if layout[0] == EXTENSIBLE and length >= 26:
                    layout = (struct.unpack("<8xH", file.read(10).ljust(10, b"\0"))[0], *layout[1:])
                    length -= 10
                file.seek(length - 16 + length % 2, os.SEEK_CUR)
            elif name == b"data":
                begin = file.tell()
                # a length of 0 or all ones: it was written to a pipe, or stands in an RF64's ds64
                end = size if length in (0, 0xFFFFFFFF) else min(size, begin + length)
                break
            elif not name.strip(b"\0"):
                raise BadData(f"{path}: no samples in this WAV file")
            else:
                file.seek(length + length % 2, os.SEEK_CUR)
        else:
            raise BadData(f"{path}: no samples in the first {CHUNKS} chunks of this WAV file")
    if layout is None:
        raise BadData(f"{path}: no format before the samples of this WAV file")
    form, channels, rate, _, _, bits = layout
    if channels != 2:
        raise Usage(f"{path} has {channels} channel(s): IQ takes two; for programme audio see sim:fm,audio={path}")
    if (form, bits) not in TYPES:
        raise Usage(f"{path}: {bits}-bit samples of WAV format {form}; it reads 8- and 16-bit PCM and 32-bit float")
    return Recording(path, TYPES[form, bits], float(rate) or None, [Segment(begin, None)], end)
