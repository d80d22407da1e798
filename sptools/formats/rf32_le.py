"""32-bit floating-point audio, little-endian, channels interleaved; full scale 1.0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from sptools.formats._raw import RawSink, read_raw
from sptools.record import Item
from sptools.units import Count, Rate, Time


def read(input: Any, *, rate: Rate | None = None, channels: Count = 1, start: Time | None = None) -> Iterator[Item]:
    """32-bit floating-point audio, little-endian, channels interleaved; full scale 1.0.

    Settings:
        rate: samples/s at which it was recorded
        channels: interleaved in it
        start: time of the first sample
    """
    return read_raw(input, "rf32_le", rate=rate, channels=channels, start=start)


def write(output: Any, *, fill: Literal["none", "zero"] = "none") -> RawSink:
    """32-bit floating-point audio, little-endian, channels interleaved; full scale 1.0.

    Settings:
        fill: what takes the place of lost samples; none: they are left out and counted
    """
    return RawSink(output, "rf32_le", fill)
