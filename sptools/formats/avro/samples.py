"""`wire=raw`: the sample bytes alone in datagrams. What they are, how fast and when is not said, so the reader must be told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from sptools import record
from sptools.clock import Clock
from sptools.errors import Usage
from sptools.formats._samples import SampleSink
from sptools.schemas import built_in


class Sink(SampleSink):
    """The samples of one channel, as they come. An output that cuts by itself (`size`) is given whole blocks and their time."""

    def __init__(self, output: Any):
        super().__init__(output, "none", "wire=raw")
        self._counts = self.notes
        self._block: Any = None
        self._marked = getattr(output, "marked", False)

    def begin(self, block: record.IQ) -> str:
        return block.datatype

    def put(self, item: record.Item) -> None:
        self._block = item
        super().put(item)

    def _write(self, x: np.ndarray) -> None:
        data = x.data.cast("B")
        block = self._block
        if getattr(self.output, "size", None):
            self.output.write(data, moment=block.time)
        else:
            sample = record.sample_size(self.datatype) * block.channels
            most = max(1, self.output.mtu // sample) * sample
            for at in range(0, len(data), most):
                marks = {"moment": block.time} if self._marked else {}
                self.output.write(data[at : at + most], **marks)
        self.written += len(data)


class Reader:
    """Iterates over blocks, one a datagram. Times are those of arrival: of the server's, where it tells."""

    def __init__(self, input: Any, rate: float, datatype: str, freq: float, channel: str):
        self.input, self.rate, self.datatype, self.freq, self.channel = input, rate, datatype, freq, channel
        self.notes: dict[str, int] = {}

    def __iter__(self) -> Iterator[record.Item]:
        kind = record.IQ if record.is_complex(self.datatype) else record.Audio
        source: dict[str, Any] = {"channel": self.channel} if self.channel else {}
        start = record.Start(built_in(kind.__name__), self.channel, os.urandom(8), source=source)
        clock, sample, size, began = Clock(self.rate, live=True), 0, record.sample_size(self.datatype), False
        while (batch := self.input.batch()) is not None:
            stamps = getattr(self.input, "stamps", None) or [None] * len(batch)
            for data, stamp in zip(batch, stamps, strict=True):
                if not data or len(data) % size:
                    self.notes["malformed"] = self.notes.get("malformed", 0) + 1
                    continue
                if not began:
                    began = True
                    yield start
                count = len(data) // size
                moment = clock.stamp(sample, count, stamp or None)
                how: dict[str, Any] = {"datatype": self.datatype, "time_error": clock.error, "clock": clock.name}
                yield kind(moment, sample, self.rate, self.freq, data=data, **how)
                sample += count


def reader(input: Any, rate: float | None, datatype: str | None, freq: float | None, channel: str) -> Reader:
    if rate is None or datatype is None:
        raise Usage(f"{input.name}: wire=raw does not say what it carries: add rate=2.048M,datatype=cu8 or whatever it is")
    if datatype not in [prefix + component for prefix in "cr" for component in record.COMPONENT]:
        raise Usage(f"{input.name}: datatype={datatype} is none: write cu8, ci16_le, cf32_le, ri16_le or the like")
    return Reader(input, rate, datatype, freq or 0.0, channel)
