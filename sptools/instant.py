"""Moments as text. Apart from `units`, because `datetime` is only wanted when a time is."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sptools.errors import Usage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_ns = 10**9
CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?(\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?")
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(\.\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?")
SECONDS = re.compile(r"@?(-?\d{1,11})(\.\d{1,9})?")


def to_ns(moment: datetime) -> int:
    """ns since 1970 of an aware datetime, in integers."""
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def fraction_ns(text: str | None) -> int:
    """`.25` → 250000000, digits beyond the ninth cut."""
    return int((text or ".0")[1:10].ljust(9, "0"))


def parse(value: Any) -> int:
    """ns UTC of an ISO 8601 text, of `14:00` today, of epoch seconds; an int is ns already."""
    if isinstance(value, bool) or value is None:
        raise Usage(f"{value!r} is not a time")
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return round(value * SECOND_ns)
    text = value.isoformat() if isinstance(value, date) else str(value).strip()
    if found := SECONDS.fullmatch(text):
        sign = -1 if found[1].startswith("-") else 1
        return int(found[1]) * SECOND_ns + sign * fraction_ns(found[2])
    try:
        if found := CLOCK.fullmatch(text):
            day = datetime.now(UTC).date().isoformat()
            clock = f"{int(found[1]):02}:{found[2]}:{found[3] or '00'}"
            return to_ns(datetime.fromisoformat(f"{day}T{clock}{found[5] or 'Z'}")) + fraction_ns(found[4])
        if found := MOMENT.fullmatch(text):
            clock = f"{found[2] or '00:00'}{found[3] or ':00'}"
            return to_ns(datetime.fromisoformat(f"{found[1]}T{clock}{found[5] or 'Z'}")) + fraction_ns(found[4])
    except ValueError as error:
        raise Usage(f"{text!r} is not a time: {error}") from None
    raise Usage(f"{text!r} is not a time: write 2026-05-01T14:00:00Z, 14:00 (today, UTC) or epoch seconds")


def format(time: int) -> str:
    """`2026-05-01T14:00:00.25Z`: as many decimals as are there."""
    whole, part = divmod(int(time), SECOND_ns)
    try:
        text = (EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    except OverflowError:
        raise Usage(f"{time} ns is outside the years 1 to 9999") from None
    decimals = f".{part:09}".rstrip("0") if part else ""
    return f"{text}{decimals}Z"
