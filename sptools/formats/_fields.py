"""A record as named values, for the formats that people and scripts read; of samples only their number."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from sptools.record import IQ, Message, Spectrum, components

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_ns = 10**9


def iso(time: int, digits: int = 9) -> str:
    """`2026-05-01T14:00:00.250000000Z` of ns UTC; always so many decimals, cut, so that columns line up and sort."""
    whole, part = divmod(time, SECOND_ns)
    try:
        text = _second(whole)
    except OverflowError:  # a foreign record may claim any time
        return f"{time}ns"
    if digits == 9:
        return f"{text}.{part:09}Z"
    return f"{text}.{part:09}"[: len(text) + 1 + digits].rstrip(".") + "Z"


@lru_cache(8)  # dense traffic has thousands of messages in a second
def _second(whole: int) -> str:
    return (EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")


def of_block(block: IQ) -> dict[str, Any]:
    return {
        "time": iso(block.time), "time_error": block.time_error, "clock": block.clock, "sample": block.sample,
        "rate": block.rate, "freq": block.freq, "gain": block.gain, "datatype": block.datatype,
        "channels": block.channels, "count": block.count,
    }  # fmt: skip


def of_spectrum(spectrum: Spectrum) -> dict[str, Any]:
    """Everything but the bins."""
    return {
        "time": iso(spectrum.time), "time_error": spectrum.time_error, "clock": spectrum.clock,
        "sample": spectrum.sample, "rate": spectrum.rate, "freq": spectrum.freq, "gain": spectrum.gain,
        "span": spectrum.span, "rbw": spectrum.rbw, "averages": spectrum.averages, "window": spectrum.window,
        "detector": spectrum.detector, "unit": spectrum.unit, "calibration": spectrum.calibration,
    }  # fmt: skip


def of_message(message: Message) -> dict[str, Any]:
    """Everything but its own `fields`."""
    return {
        "time": iso(message.time), "time_error": message.time_error, "clock": message.clock, "sample": message.sample,
        "freq": message.freq, "level": round(float(message.level), 2), "protocol": message.protocol,
        "raw": message.raw, "valid": message.valid,
    }  # fmt: skip


def merged(message: Message) -> dict[str, Any]:
    """A message's own fields beside the common ones; a name that both have gets the protocol's before it."""
    both = of_message(message)
    size = len(both) + len(message.fields)
    both |= message.fields
    if len(both) == size:
        return both
    common = of_message(message)
    return common | {f"{message.protocol}_{k}" if k in common else k: v for k, v in message.fields.items()}


def bins(spectrum: Spectrum) -> list[float | None]:
    """dB, two decimals; None where nothing was measured."""
    rounded = np.round(components(spectrum).astype(np.float64), 2)
    if np.isfinite(rounded).all():
        return rounded.tolist()
    return [value if math.isfinite(value) else None for value in rounded.tolist()]


def plain(value: Any) -> Any:
    """What JSON can hold: NaN and ∞ become null, bytes hexadecimal, dates ISO 8601, anything else its text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (date, datetime)):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    return str(value)


def printable(text: str) -> str:
    """Control characters escaped: a message from the air must not drive somebody's terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
