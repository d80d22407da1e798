"""SigMF recordings: metadata → segments. Source: SigMF specification 1.2, core namespace."""

from __future__ import annotations

import json
import os
from typing import Any

from sptools import instant
from sptools.errors import BadData, NoInput, Usage

from ._recording import SIZES, Recording, Segment, open_file, read_whole

META_LIMIT = 64 << 20  # annotations make metadata long, but not this long


def sigmf(path: str) -> Recording:
    """Any of x.sigmf-meta, x.sigmf-data, or the archive x.sigmf."""
    stem, suffix = os.path.splitext(path)
    if suffix == ".sigmf":
        return archived(path)
    if suffix not in (".sigmf-meta", ".sigmf-data"):
        raise Usage(f"{path}: a SigMF recording is named .sigmf-meta, .sigmf-data or .sigmf")
    meta = parse(stem + ".sigmf-meta", read_whole(stem + ".sigmf-meta", META_LIMIT))
    facts = meta["global"]
    data = stem + ".sigmf-data"
    if dataset := facts.get("core:dataset"):
        if os.path.basename(str(dataset)) != dataset:
            raise BadData(f"{path}: core:dataset {dataset!r} must be a file of the same folder")
        data = os.path.join(os.path.dirname(path), dataset)
    if facts.get("core:metadata_only"):
        raise NoInput(f"{path} is metadata only: it has no samples")
    handle, size = open_file(data)
    os.close(handle)
    return layout(path, meta, data, 0, size)


def archived(path: str) -> Recording:
    """The first recording of a SigMF archive, read in place: an archive is an uncompressed tar."""
    import tarfile  # 10 ms that only an archive needs

    try:
        with tarfile.open(path, "r:") as archive:
            files = {m.name: m for m in archive if m.isfile()}
            names = [n for n in files if n.endswith(".sigmf-meta") and n[:-4] + "data" in files]
            if not names:
                raise BadData(f"{path}: no recording in this archive")
            entry, data = files[names[0]], files[names[0][:-4] + "data"]
            if entry.size > META_LIMIT:
                raise BadData(f"{path}: metadata of {entry.size} bytes")
            text = archive.extractfile(entry).read()  # type: ignore[union-attr]
    except FileNotFoundError:
        raise NoInput(f"{path}: no such file") from None
    except tarfile.TarError as error:
        raise BadData(f"{path} is not a SigMF archive: {error}") from None
    return layout(path, parse(path, text), path, data.offset_data, data.offset_data + data.size)


def parse(path: str, text: bytes) -> dict:
    """The metadata, checked as far as we use it."""
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadData(f"{path} is not JSON: {error}") from None
    if not isinstance(meta, dict) or not isinstance(meta.get("global"), dict):
        raise BadData(f"{path} is not SigMF metadata: it has no global object")
    captures = meta.get("captures", [])
    if not isinstance(captures, list) or not all(isinstance(c, dict) for c in captures):
        raise BadData(f"{path}: captures is not a list of objects")
    return meta


def number(path: str, where: dict, key: str, default: Any, kind: type = int) -> Any:
    """A number of the metadata, not negative."""
    value = where.get(key, default)
    if value is default:
        return value
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**62
    if not good or (kind is int and value != int(value)):
        raise BadData(f"{path}: {key} is {value!r}")
    return kind(value)


def layout(path: str, meta: dict, data: str, begin: int, size: int | None) -> Recording:
    """Segments of the samples that lie in bytes [begin, size) of `data`."""
    facts = meta["global"]
    datatype = facts.get("core:datatype")
    if datatype not in SIZES:
        raise Usage(f"{path}: samples of type {datatype!r} are not read; it reads {', '.join(SIZES)}")
    if number(path, facts, "core:num_channels", 1) != 1:
        raise Usage(f"{path}: {facts['core:num_channels']} channels; it reads recordings of one")
    rate = number(path, facts, "core:sample_rate", None, float)
    end = None if size is None else max(begin, size - number(path, facts, "core:trailing_bytes", 0))
    captures = sorted(meta.get("captures") or [{}], key=lambda c: number(path, c, "core:sample_start", 0))
    starts = [number(path, c, "core:sample_start", 0) for c in captures]
    if starts[0] > 0:
        captures, starts = [{}, *captures], [0, *starts]
    offset = number(path, facts, "core:offset", 0)
    segments: list[Segment] = []
    header = 0
    for i, (capture, start) in enumerate(zip(captures, starts, strict=True)):
        header += number(path, capture, "core:header_bytes", 0)
        place = begin + header + start * SIZES[datatype]
        count = starts[i + 1] - start if i + 1 < len(starts) else None
        if count == 0 or (end is not None and place >= end):
            continue  # a later capture from the same sample on replaces this one; one behind the end has no samples
        before = segments[-1] if segments else None
        carried = offset + start if before is None else before.sample + (before.length or 0)
        sample = number(path, capture, "core:global_index", carried)
        if sample < carried and before:
            raise BadData(f"{path}: core:global_index {sample} lies before the end of the capture before it")
        freq = number(path, capture, "core:frequency", before.freq if before else None, float)
        segments.append(Segment(place, count, sample, moment(path, capture, before, sample, rate), freq))
    return Recording(data, datatype, rate, segments, end)


def moment(path: str, capture: dict, before: Segment | None, sample: int, rate: float | None) -> int | None:
    """ns UTC of a capture's first sample: as written, else counted on from the capture before."""
    text = capture.get("core:datetime")
    if text is not None:
        try:
            return instant.parse(str(text))
        except Usage:
            raise BadData(f"{path}: core:datetime is {text!r}") from None
    if before is None or before.time is None or not rate:
        return None
    return before.time + round((sample - before.sample) * 10**9 / rate)
