"""Unsigned 8-bit IQ, as rtl_sdr writes it. Zero lies at 127.5."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from sptools.formats._raw import RawSink, read_raw
from sptools.record import Item
from sptools.units import Hertz, Rate, Time


def read(input: Any, *, rate: Rate | None = None, freq: Hertz = 0.0, start: Time | None = None) -> Iterator[Item]:
    """Unsigned 8-bit IQ, as rtl_sdr writes it. Zero lies at 127.5.

    Settings:
        rate: samples/s at which it was recorded
        freq: frequency that the receiver was tuned to
        start: time of the first sample
    """
    return read_raw(input, "cu8", rate=rate, freq=freq, start=start)


def write(output: Any, *, fill: Literal["none", "zero"] = "none") -> RawSink:
    """Unsigned 8-bit IQ, as rtl_sdr writes it. Zero lies at 127.5.

    Settings:
        fill: what takes the place of lost samples; none: they are left out and counted
    """
    return RawSink(output, "cu8", fill)
