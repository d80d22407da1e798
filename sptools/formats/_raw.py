"""Bare samples without a header: the user says what they are. `cu8.py`, `ci16_le.py` … name the datatypes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from sptools.clock import span
from sptools.errors import BadData, NoInput, Usage
from sptools.formats._samples import BLOCK, SampleSink
from sptools.record import IQ, Audio, Item, Start, is_complex, sample_size
from sptools.schemas import built_in

REASONABLE_channels = 256


def read_raw(
    input: Any, datatype: str, *, rate: float | None, freq: float = 0.0, start: int | None = None, channels: int = 1
) -> Iterator[Item]:
    """Blocks of about 256 KiB, from a pipe whatever is there. Time counts from `start` (ns); without it from
    the arrival of the first sample of a pipe, and from 0 (1970) in a file, where nothing tells."""
    if rate is None:
        raise Usage(f"{input.name}: {datatype} has no header that says how fast: add ,rate=2.4M or whatever it was")
    check_channels(channels, input.name)
    size = sample_size(datatype) * channels
    parts = blocks(input, size)
    first = next(parts, None)
    if first is None:
        raise NoInput(f"{input.name} is empty")
    if start is None:
        start = 0 if getattr(input, "seekable", False) else time.time_ns() - span(len(first) // size, rate)
    record = IQ if is_complex(datatype) else Audio
    yield Start(built_in(record.__name__), boot=os.urandom(8), source={"freq": freq} if freq else {})
    sample = 0
    while first is not None:
        whole = len(first) - len(first) % size
        if whole:
            moment, data = start + span(sample, rate), first[:whole].data
            yield record(moment, sample, rate, freq, datatype=datatype, data=data, channels=channels)
        sample += whole // size
        if whole < len(first):
            raise BadData(f"{input.name} ends inside a sample: its last {len(first) - whole} bytes are left over")
        first = next(parts, None)


def blocks(input: Any, size: int, limit: int | None = None) -> Iterator[np.ndarray]:
    """uint8 arrays, each a whole number of samples of `size` bytes but perhaps the last one; fresh memory each.

    `limit`: at most so many bytes in all.
    """
    length = max(BLOCK // size, 1) * size
    tail = np.empty(0, np.uint8)
    left = limit
    while True:
        buffer = np.empty(length, np.uint8)
        buffer[: len(tail)] = tail
        room = length - len(tail) if left is None else min(length - len(tail), left)
        n = input.readinto(buffer.data[len(tail) : len(tail) + room]) if room else 0
        if left is not None:
            left -= n
        have = len(tail) + n
        if not n:
            if have:
                yield buffer[:have]
            return
        whole = have - have % size
        tail = buffer[whole:have]
        if whole:
            yield buffer[:whole]


def check_channels(channels: int, name: str) -> None:
    if not 1 <= channels <= REASONABLE_channels:
        raise Usage(f"{name}: {channels} channels: choose from 1 to {REASONABLE_channels}")


class RawSink(SampleSink):
    """Writes the samples as `datatype`, converting from what comes."""

    def __init__(self, output: Any, datatype: str, fill: str = "none"):
        super().__init__(output, fill, "a raw file")
        self.wanted = datatype

    def begin(self, block: IQ) -> str:
        if is_complex(block.datatype) != is_complex(self.wanted):
            have, want = ("IQ", "audio") if is_complex(block.datatype) else ("audio", "IQ")
            raise BadData(
                f"{self.output.name}: {self.wanted} holds {want}, the stream is {have} ({block.datatype}): "
                f"write {'c' if have == 'IQ' else 'r'}{self.wanted[1:]} or wav"
            )
        return self.wanted
