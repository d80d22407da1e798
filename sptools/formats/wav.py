"""WAV files and streams: audio, and IQ as two channels (I left, Q right)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from sptools.clock import span
from sptools.errors import BadData, NoInput
from sptools.formats._raw import blocks
from sptools.formats._riff import FLOAT, PCM, header, read_header
from sptools.formats._samples import SampleSink
from sptools.record import IQ, Audio, Item, Start, component, is_complex
from sptools.schemas import built_in
from sptools.units import Hertz, Time

READ_AS = {
    (PCM, 8): "u8", (PCM, 16): "i16_le", (PCM, 24): "i32_le", (PCM, 32): "i32_le",
    (FLOAT, 32): "f32_le", (FLOAT, 64): "f64_le",
}  # fmt: skip
# WAV knows 8 bits as unsigned only, and 16 as signed only
WRITTEN_AS = {"i8": "u8", "u16_le": "i16_le"}


def read(input: Any, *, iq: bool = False, freq: Hertz = 0.0, start: Time | None = None) -> Iterator[Item]:
    """WAV: PCM of 8, 16, 24 (read as 32) and 32 bits, and float; RF64; streams of unknown length.

    Settings:
        iq: the two channels are I and Q
        freq: frequency that the receiver was tuned to
        start: time of the first sample; without it time counts from 1970
    """
    take = _taker(input)
    first = take(1)
    if not first:
        raise NoInput(f"{input.name} is empty")
    ahead = bytearray(first)

    def peeked(n: int) -> bytes:
        kept = bytes(ahead[:n])
        del ahead[:n]
        return kept + take(n - len(kept))

    layout = read_header(peeked, input.name)
    if iq and layout.channels != 2:
        raise BadData(f"{input.name} holds {layout.channels} channels: IQ takes two")
    kind, channels = ("c", 1) if iq else ("r", layout.channels)
    datatype = kind + READ_AS[layout.tag, layout.bits]
    record = IQ if iq else Audio
    yield Start(built_in(record.__name__), boot=os.urandom(8), source={"freq": freq} if freq else {})
    size = layout.channels * layout.bits // 8
    rate, sample, got = float(layout.rate), 0, 0
    for part in blocks(input, size, layout.length):
        whole = part[: len(part) - len(part) % size]
        got += len(part)
        if len(whole):
            data = widen(whole) if layout.bits == 24 else whole
            moment = (start or 0) + span(sample, rate)
            yield record(moment, sample, rate, freq, datatype=datatype, data=data.data, channels=channels)
            sample += len(whole) // size
        if len(whole) < len(part):
            raise BadData(f"{input.name} ends inside a sample: the last {len(part) - len(whole)} bytes are left over")
    if layout.sure and layout.length is not None and got < layout.length:
        raise BadData(f"{input.name} is cut short: {got:,} of {layout.length:,} bytes of samples")


def widen(x: np.ndarray) -> np.ndarray:
    """24-bit little-endian bytes (3n,) → the same values in the upper 24 bits of int32 (n,)."""
    wide = np.zeros((len(x) // 3, 4), np.uint8)
    wide[:, 1:] = x.reshape(-1, 3)
    return wide.reshape(-1).view("<i4")


def _taker(input: Any):
    """`take(n)`: n bytes, fewer only at the end."""

    def take(n: int) -> bytes:
        parts = b""
        while len(parts) < n:
            part = input.read(n - len(parts))
            if not part:
                break
            parts += part
        return parts

    return take


def write(output: Any, *, fill: Literal["none", "zero"] = "none") -> WavSink:
    """WAV. A file gets true sizes at the end, and is RF64 beyond 4 GiB; a pipe gets 0xFFFFFFFF, as players take it.

    Settings:
        fill: what takes the place of lost samples; none: they are left out and counted
    """
    return WavSink(output, fill)


class WavSink(SampleSink):
    """One WAV file. The rate is rounded to whole Hz, which is all that the header can say."""

    def __init__(self, output: Any, fill: str = "none"):
        super().__init__(output, fill, "a WAV file")
        self._place = _beginning(output)
        self._shape = (PCM, 1, 48000, 16)

    def begin(self, block: IQ) -> str:
        kind, have = block.datatype[0], block.datatype[1:]
        want = kind + WRITTEN_AS.get(have, have)
        bits = component(want).itemsize * 8
        tag = FLOAT if component(want).kind == "f" else PCM
        channels = block.channels * (2 if is_complex(want) else 1)
        self._shape = (tag, channels, round(block.rate), bits)
        self._head()
        return want

    def close(self, ok: bool = True) -> None:
        if ok:
            if self.first is None:
                self._head()  # nothing came: a WAV file without samples is still one
            if self.written % 2:
                self.output.write(b"\0")
            if self._place is not None:
                _overwrite(self.output, self._place, header(*self._shape, self.written, room=True))
        super().close(ok)

    def _head(self) -> None:
        self.output.write(header(*self._shape, None, room=self._place is not None))


def _beginning(output: Any) -> int | None:
    """Where in the file the header will stand, None where it cannot be written a second time (a pipe, `>>`)."""
    import fcntl

    if not hasattr(output, "fileno"):
        return None
    fd = output.fileno()
    if not stat.S_ISREG(os.fstat(fd).st_mode) or fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND:
        return None
    return os.lseek(fd, 0, os.SEEK_CUR)


def _overwrite(output: Any, place: int, data: bytes) -> None:
    """Writes `data` at `place`; the output goes on where it stood."""
    fd = output.fileno()
    end = os.lseek(fd, 0, os.SEEK_CUR)
    os.lseek(fd, place, os.SEEK_SET)
    output.write(data)
    os.lseek(fd, end, os.SEEK_SET)
