"""32-bit floating-point IQ, little-endian; full scale 1.0. What GNU Radio calls complex."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from sptools.formats._raw import RawSink, read_raw
from sptools.record import Item
from sptools.units import Hertz, Rate, Time


def read(input: Any, *, rate: Rate | None = None, freq: Hertz = 0.0, start: Time | None = None) -> Iterator[Item]:
    """32-bit floating-point IQ, little-endian; full scale 1.0. What GNU Radio calls complex.

    Settings:
        rate: samples/s at which it was recorded
        freq: frequency that the receiver was tuned to
        start: time of the first sample
    """
    return read_raw(input, "cf32_le", rate=rate, freq=freq, start=start)


def write(output: Any, *, fill: Literal["none", "zero"] = "none") -> RawSink:
    """32-bit floating-point IQ, little-endian; full scale 1.0. What GNU Radio calls complex.

    Settings:
        fill: what takes the place of lost samples; none: they are left out and counted
    """
    return RawSink(output, "cf32_le", fill)
