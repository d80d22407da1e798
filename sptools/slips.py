"""Slips in naming a source: `rtl:0`, `sim` and `http://x` are no recordings, and the message says what was meant."""

from __future__ import annotations

import os
import re

from sptools import registry
from sptools.describe import MISSING
from sptools.errors import Usage, near
from sptools.url import Endpoint


def check_recording(text: str, endpoint: Endpoint) -> None:
    """Refuses a source that names neither a receiver nor, as it seems, a recording. A file that exists is one."""
    place = endpoint.place
    prefix, colon, rest = place.partition(":")
    if endpoint.scheme:
        prefix, colon, rest = endpoint.scheme, ":", place
    elif endpoint.format or place == "-" or os.path.lexists(place) or place.startswith(("/", "./", "../")):
        return
    elif not re.fullmatch(r"\w[\w-]*", prefix) or (not colon and registry.format_of(place)):
        return
    drivers = registry.names("drivers")
    there = f"there are {', '.join(drivers)}"
    if prefix in drivers:
        raise Usage(f"{text} is no source by itself: write {', '.join(samples(prefix))}; a file of that name is ./{place}")
    meant = _meant(prefix, colon + rest, drivers)
    raise Usage(f"no receiver {prefix!r}: {f'did you mean {meant}? ' if meant else ''}{there}")


def _meant(prefix: str, rest: str, drivers: list[str]) -> str:
    """The source that was probably meant, or nothing."""
    every = [sample for name in drivers for sample in samples(name)]
    if not rest and (whole := next((s for s in every if s.partition(":")[2] == prefix.lower()), "")):
        return whole  # fm, 0
    name = next((d for d in drivers if d.startswith(prefix.lower())), "") or near(prefix, drivers)
    return name and (name + rest if len(rest) > 1 else samples(name)[0])


def samples(driver: str) -> list[str]:
    """Sources of a driver, as an example of how it is written: its stations, or the address that it has by default."""
    if stations := registry.names(f"drivers/{driver}"):
        return [f"{driver}:{station}" for station in stations]
    address = registry.describe("drivers", driver).positional[0].default
    return [f"{driver}:{'PATH' if address is MISSING else address}"]
