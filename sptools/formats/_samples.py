"""What `wav` and the raw formats share: a sink of bare samples, which has no place for gaps, times and frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np

from sptools.continuity import Continuity
from sptools.errors import BadData, Usage
from sptools.formats._convert import convert, silence
from sptools.record import IQ, Item, Start, components, is_complex

BLOCK = 1 << 18  # bytes
LONGEST_FILL_s = 3600.0  # a longer gap is an error of the clock rather than a loss


class SampleSink:
    """Takes blocks of one rate and number of channels. A subclass has `begin(block)`, which returns the datatype that
    is written (or raises), and may extend `close`.

    `notes`: what the file cannot show: `not_shown` samples of gaps, `retunes`; and `filled` with zeros on request.
    """

    def __init__(self, output: Any, fill: str, what: str):
        self.output, self.fill, self.what = output, fill, what
        self.notes: dict[str, int] = {}
        self.first: IQ | None = None
        self.freq = 0.0
        self.channel = ""
        self.datatype = ""
        self.written = 0  # bytes of samples
        self._follow = Continuity()

    def begin(self, block: IQ) -> str:
        raise NotImplementedError

    def put(self, item: Item) -> None:
        if isinstance(item, Start):
            if self.first is not None and item.channel != self.channel:
                raise Usage(two_channels(self.output.name, self.what, self.channel, item.channel))
            self.channel = item.channel
            self._follow.see(item)  # a loss is seen at the next block, by its `sample`
            return
        if not isinstance(item, IQ):
            raise BadData(f"{self.output.name}: {self.what} holds samples, not {type(item).__name__} records")
        if self.first is None:
            self.datatype, self.first, self.freq = self.begin(item), item, item.freq
        elif (item.rate, item.channels, is_complex(item.datatype)) != (
            self.first.rate, self.first.channels, is_complex(self.first.datatype)
        ):  # fmt: skip
            raise BadData(
                f"{self.output.name}: at sample {item.sample} the stream changes from {kind(self.first)} to "
                f"{kind(item)}, and {self.what} holds one kind: cut the stream there, or write .avro"
            )
        if item.freq != self.freq:
            self.freq = item.freq
            self._note("retunes", 1)
        verdict, lost = self._follow.see(item)
        if verdict == "gap":
            self._gap(lost, item)
        self._write(convert(components(item), item.datatype, self.datatype))

    def flush(self) -> None:
        pass

    def close(self, ok: bool = True) -> None:
        self.output.close(ok)

    def _gap(self, lost: int, block: IQ) -> None:
        if self.fill != "zero" or lost > LONGEST_FILL_s * block.rate:
            self._note("not_shown", lost)
            return
        self._note("filled", lost)
        left = lost * self._per_sample(block)
        zeros = silence(self.datatype, min(left, BLOCK))
        while left:
            part = zeros[: min(left, len(zeros))]
            self._write(part)
            left -= len(part)

    def _write(self, x: np.ndarray) -> None:
        if len(x):
            data = x.data.cast("B")
            self.output.write(data)
            self.written += data.nbytes

    def _note(self, name: str, n: int) -> None:
        self.notes[name] = self.notes.get(name, 0) + n

    @staticmethod
    def _per_sample(block: IQ) -> int:
        return block.channels * (2 if is_complex(block.datatype) else 1)


def kind(block: IQ) -> str:
    return f"{block.rate:g} S/s {block.datatype} in {block.channels} channel{'s' * (block.channels > 1)}"


def two_channels(name: str, what: str, a: str, b: str) -> str:
    both = f"{a or '(unnamed)'} and {b or '(unnamed)'}"
    return f"{name}: {what} holds one channel, the stream has {both}: choose one with --channel"
