"""Signed 16-bit audio, little-endian, channels interleaved. What rtl_fm writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from sptools.formats._raw import RawSink, read_raw
from sptools.record import Item
from sptools.units import Count, Rate, Time


def read(input: Any, *, rate: Rate | None = None, channels: Count = 1, start: Time | None = None) -> Iterator[Item]:
    """Signed 16-bit audio, little-endian, channels interleaved. What rtl_fm writes.

    Settings:
        rate: samples/s at which it was recorded
        channels: interleaved in it
        start: time of the first sample
    """
    return read_raw(input, "ri16_le", rate=rate, channels=channels, start=start)


def write(output: Any, *, fill: Literal["none", "zero"] = "none") -> RawSink:
    """Signed 16-bit audio, little-endian, channels interleaved. What rtl_fm writes.

    Settings:
        fill: what takes the place of lost samples; none: they are left out and counted
    """
    return RawSink(output, "ri16_le", fill)
