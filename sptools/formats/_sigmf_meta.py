"""The metadata of a SigMF recording, checked before it is believed.

Source: SigMF specification 1.2, "core" namespace. `global` and `captures` are read, annotations are not.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any, NamedTuple

from sptools import instant, limits
from sptools.errors import BadData, Usage
from sptools.record import COMPONENT

VERSION = "1.2.0"
LARGEST = 64 * limits.MiB  # a capture takes 150 bytes
BIG = 1 << 62  # samples
META, DATA, ARCHIVE = ".sigmf-meta", ".sigmf-data", ".sigmf"


class Capture(NamedTuple):
    """A stretch without gap or retune. `first`: its place in the data, in samples; None: not said."""

    first: int
    sample: int | None  # of the first sample since the receiver started, lost ones counted
    time: int | None  # ns UTC
    freq: float | None
    header: int  # bytes before its samples that are none


class Meta(NamedTuple):
    datatype: str  # little-endian
    swapped: bool  # the data is big-endian
    rate: float | None
    channels: int
    device: str
    sha512: str | None
    trailing: int  # bytes after the last sample
    captures: list[Capture]
    data: str | None  # name of the data file, where it is not the usual one


def base_of(path: str) -> str:
    for suffix in (META, DATA, ARCHIVE):
        if path.endswith(suffix):
            return path[: -len(suffix)]
    return path


def parse(text: bytes, name: str) -> Meta:
    try:
        root = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadData(f"{name} is not JSON: {error}") from None
    facts = Facts(root, name, "the file").inner("global")
    datatype = facts.get("core:datatype", str, None)
    if datatype is None:
        raise BadData(f"{name}: global has no core:datatype")
    swapped = datatype.endswith("_be")
    plain = datatype[:-3] + "_le" if swapped else datatype
    if plain[:1] not in ("c", "r") or plain[1:] not in COMPONENT:
        raise BadData(f"{name}: datatype {datatype!r} is not read, only c or r of {', '.join(COMPONENT)}")
    if facts.get("core:metadata_only", bool, False):
        raise Usage(f"{name} says metadata_only: it has no samples to read")
    rate = facts.number("core:sample_rate")
    if rate is not None and not 0 < rate < 1e15:
        raise BadData(f"{name}: core:sample_rate {rate:g} is not a rate")
    channels = facts.get("core:num_channels", int, 1)
    if not 1 <= channels <= 256:
        raise BadData(f"{name}: {channels} channels")
    other = facts.get("core:dataset", str, None)
    if other is not None and (os.path.basename(other) != other or other in ("", ".", "..")):
        raise BadData(f"{name}: core:dataset {other!r} may only name a file beside it")
    device = facts.get("core:hw", str, "")
    trailing = max(0, facts.get("core:trailing_bytes", int, 0))
    captures = _captures(root, name)
    return Meta(plain, swapped, rate, channels, device, facts.get("core:sha512", str, None), trailing, captures, other)


def _captures(root: dict, name: str) -> list[Capture]:
    listed = root.get("captures", [])
    if not isinstance(listed, list):
        raise BadData(f"{name}: captures is no list")
    found: list[Capture] = []
    for i, entry in enumerate(listed):
        facts = Facts(entry, name, f"capture {i}")
        when = facts.get("core:datetime", str, None)
        try:
            time = None if when is None else instant.parse(when)
        except Usage as error:
            raise BadData(f"{name}: capture {i}: {error}") from None
        capture = Capture(
            facts.get("core:sample_start", int, -1), facts.get("core:global_index", int, None), time,
            facts.number("core:frequency"), facts.get("core:header_bytes", int, 0),
        )  # fmt: skip
        if capture.first < (found[-1].first if found else 0) or capture.header < 0 or (capture.sample or 0) < 0:
            raise BadData(f"{name}: capture {i} starts at sample {capture.first}: captures must be in order")
        found.append(capture)
    return found or [Capture(0, None, None, None, 0)]


class Facts:
    """An object of the metadata; every value is asked for with the type that it must have."""

    def __init__(self, value: Any, name: str, where: str):
        if not isinstance(value, dict):
            raise BadData(f"{name}: {where} is no JSON object")
        self.value, self.name, self.where = value, name, where

    def inner(self, key: str) -> Facts:
        return Facts(self.value.get(key), self.name, key)

    def get(self, key: str, want: type, default: Any) -> Any:
        value = self.value.get(key)
        if value is None:
            return default
        fits = isinstance(value, want)
        if want is int and fits:
            fits = not isinstance(value, bool) and -BIG < int(value) < BIG
        if not fits:
            raise BadData(f"{self.name}: {self.where}: {key} is {str(value)[:40]!r}, not a {want.__name__}")
        return value

    def number(self, key: str) -> float | None:
        value = self.value.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e18 or math.isnan(value):
            raise BadData(f"{self.name}: {self.where}: {key} is {str(value)[:40]!r}, not a number")
        return float(value)
