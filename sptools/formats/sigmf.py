"""SigMF recordings: NAME.sigmf-data holds the samples, NAME.sigmf-meta says what they are."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from sptools import __version__, instant
from sptools.clock import span
from sptools.continuity import Continuity
from sptools.errors import BadData, NoInput, Usage
from sptools.formats import _sigmf_meta as sigmf_meta
from sptools.formats._raw import blocks
from sptools.formats._samples import kind, two_channels
from sptools.record import IQ, Audio, Item, Start, component, components, is_complex, sample_size
from sptools.schemas import built_in
from sptools.units import Rate

JITTER_ns = 1000  # a time that is further off than this from where the samples put it is a new anchor


def read(input: Any, *, rate: Rate | None = None, check: bool = False) -> Iterator[Item]:
    """A SigMF recording. Gaps between its captures come back as jumps in `sample`, retunes as another `freq`.

    Settings:
        rate: samples/s, where the recording does not say
        check: compare the SHA-512 of the samples with the recorded one
    """
    if getattr(input, "path", None) is None:
        raise Usage("sigmf: a recording is two files: name one of them instead of -")
    if input.path.endswith(sigmf_meta.ARCHIVE):
        raise Usage(f"{input.path} is an archive: unpack it with tar -xf {input.path} and name its .sigmf-meta")
    base = sigmf_meta.base_of(input.path)
    if input.path.endswith(sigmf_meta.DATA):
        described = type(input)(base + sigmf_meta.META)
        try:
            meta = _load(described)
        finally:
            described.close()
        yield from _records(input, meta, rate, check)
        return
    meta = _load(input)
    folder = os.path.dirname(input.path)
    data = type(input)(os.path.join(folder, meta.data) if meta.data else base + sigmf_meta.DATA)
    try:
        yield from _records(data, meta, rate, check)
    finally:
        data.close()


def _load(input: Any) -> sigmf_meta.Meta:
    text = b""
    while part := input.read(1 << 20):
        text += part
        if len(text) > sigmf_meta.LARGEST:
            raise BadData(f"{input.name} is larger than {sigmf_meta.LARGEST:,} bytes: not a recording's metadata")
    if not text:
        raise NoInput(f"{input.name} is empty")
    return sigmf_meta.parse(text, input.name)


def _records(data: Any, meta: sigmf_meta.Meta, rate: float | None, check: bool) -> Iterator[Item]:
    rate = rate or meta.rate
    if rate is None:
        raise Usage(f"{data.name}: the recording does not say its rate: add ,rate=2.4M or what it was")
    if check and meta.sha512 is None:
        raise BadData(f"{data.name}: the recording has no core:sha512 to check it with")
    size = sample_size(meta.datatype) * meta.channels
    record = IQ if is_complex(meta.datatype) else Audio
    source = {"device": meta.device} if meta.device else {}
    yield Start(built_in(record.__name__), boot=os.urandom(8), source=source)
    digest = hashlib.sha512() if check else None
    sample, time, freq, done = 0, 0, 0.0, 0
    room, taken = os.fstat(data.fileno()).st_size - meta.trailing, 0
    ends: list[int | None] = [*(capture.first for capture in meta.captures[1:]), None]
    for capture, end in zip(meta.captures, ends, strict=True):
        if capture.header:
            _skip(data, capture.header, digest)
            taken += capture.header
        if capture.first > done:  # before the first capture nothing is known but the samples
            raise BadData(f"{data.name}: samples {done} to {capture.first} belong to no capture")
        sample = capture.sample if capture.sample is not None else sample
        time = capture.time if capture.time is not None else time
        freq = capture.freq if capture.freq is not None else freq
        begin_time, begin_sample = time, sample
        limit: int | None = None
        if end is not None:
            limit = (end - capture.first) * size
        elif meta.trailing:
            limit = max(0, room - taken)
        for part in blocks(data, size, limit):
            if digest:
                digest.update(part.data)
            n = len(part) // size
            if n:
                at = begin_time + span(sample - begin_sample, rate)
                view = (_little(part[: n * size], meta) if meta.swapped else part[: n * size]).data
                yield record(at, sample, rate, freq, datatype=meta.datatype, data=view, channels=meta.channels)
            sample += n
            done += n
            taken += len(part)
            if over := len(part) - n * size:
                raise BadData(f"{data.name} ends inside a sample: its last {over} bytes are left over")
        time = begin_time + span(sample - begin_sample, rate)
        if end is not None and done < end:
            raise BadData(f"{data.name} is cut short: {done:,} samples, but a capture starts at {end:,}")
    if digest and meta.trailing:
        _skip(data, meta.trailing, digest)
    if digest and digest.hexdigest() != meta.sha512:
        raise BadData(f"{data.name}: the samples do not match core:sha512: they were changed after they were recorded")


def _little(part: np.ndarray, meta: sigmf_meta.Meta) -> np.ndarray:
    return part.view(component(meta.datatype).newbyteorder(">")).astype(component(meta.datatype)).view(np.uint8)


def _skip(data: Any, n: int, digest: Any) -> None:
    while n and (part := data.read(min(n, 1 << 18))):
        n -= len(part)
        if digest:
            digest.update(part)


def write(output: Any) -> SigmfSink:
    """A SigMF recording: a capture for every gap, retune and step of time; nothing is filled in."""
    return SigmfSink(output)


class SigmfSink:
    """Both files appear whole or not at all, the metadata last: whoever sees it finds the samples complete."""

    def __init__(self, output: Any):
        if getattr(output, "path", None) is None:
            raise Usage("sigmf: a recording is two files: name one of them with -o, not -")
        base = sigmf_meta.base_of(output.path)
        names = {sigmf_meta.META: base + sigmf_meta.META, sigmf_meta.DATA: base + sigmf_meta.DATA}
        taken = next((suffix for suffix, name in names.items() if name == output.path), None)
        if taken is None:
            output.close(False)
        made = {suffix: output if suffix == taken else type(output)(name) for suffix, name in names.items()}
        self.meta, self.data = made[sigmf_meta.META], made[sigmf_meta.DATA]
        self.name = base
        self.notes: dict[str, int] = {}
        self.captures: list[dict] = []
        self.source: dict = {}
        self.channel = ""
        self.first: IQ | None = None
        self.written = 0  # samples
        self._digest = hashlib.sha512()
        self._follow = Continuity()
        self._expect = (0, 0.0)  # time and frequency of the next block, if nothing happens

    def put(self, item: Item) -> None:
        if isinstance(item, Start):
            if self.first is not None and item.channel != self.channel:
                raise Usage(two_channels(self.name, "a recording", self.channel, item.channel))
            self.channel, self.source = item.channel, self.source or item.source
            self._follow.see(item)
            return
        if not isinstance(item, IQ):
            raise BadData(f"{self.name}: SigMF holds samples, not {type(item).__name__} records")
        if self.first is None:
            self.first = item
        elif _kind(item) != _kind(self.first):
            raise BadData(
                f"{self.name}: at sample {item.sample} the stream changes from {kind(self.first)} to {kind(item)}, "
                "and a recording holds one kind: cut the stream there, or write .avro"
            )
        if not item.count:
            return
        verdict, _ = self._follow.see(item)
        time, freq = self._expect
        if verdict != "go" or freq != item.freq or abs(item.time - time) > JITTER_ns:
            self.captures.append(self._capture(item))
        self._expect = item.time + span(item.count, item.rate), item.freq
        data = components(item).data.cast("B")
        self.data.write(data)
        self._digest.update(data)
        self.written += item.count

    def flush(self) -> None:
        pass

    def close(self, ok: bool = True) -> None:
        if not ok or self.first is None:
            self.data.close(False)
            self.meta.close(False)
            if ok:
                raise NoInput(f"{self.name}: no samples came, so there is no recording to write")
            return
        text = json.dumps(self._metadata(self.first), indent=2, allow_nan=False) + "\n"
        try:
            self.data.close(True)
        except BaseException:
            self.meta.close(False)
            raise
        self.meta.write(text.encode())
        self.meta.close(True)

    def _capture(self, block: IQ) -> dict:
        capture: dict = {"core:sample_start": self.written, "core:global_index": block.sample}
        if block.freq:
            capture["core:frequency"] = block.freq
        return capture | {"core:datetime": instant.format(block.time)}

    def _metadata(self, first: IQ) -> dict:
        facts: dict = {
            "core:datatype": first.datatype,
            "core:sample_rate": first.rate,
            "core:version": sigmf_meta.VERSION,
            "core:num_channels": first.channels,
            "core:sha512": self._digest.hexdigest(),
            "core:recorder": f"sptools {__version__}",
        }
        if self.source.get("device"):
            facts["core:hw"] = str(self.source["device"])
        where = [self.source.get("longitude"), self.source.get("latitude")]
        if all(isinstance(number, (int, float)) for number in where):
            facts["core:geolocation"] = {"type": "Point", "coordinates": where}
        return {"global": facts, "captures": self.captures, "annotations": []}


def _kind(block: IQ) -> tuple:
    return block.rate, block.channels, block.datatype
