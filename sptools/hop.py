"""A sweep: the receiver hops over a range of frequencies, and what it gives while it settles is left out."""

from __future__ import annotations

from typing import Any

from sptools.drivers._chunk import Chunk
from sptools.record import nbytes, sample_size

SETTLE_s = 0.03  # R820T: its synthesiser locks within 10 ms; a USB transfer of 10 ms holds both frequencies, and margin


class Hopper:
    """A receiver that dwells `dwell` seconds on each of `freqs` in turn, `offset` beside it, for ever or `rounds` times.

    Samples between a hop and its end of settling are not delivered: `lost` of the next chunk skips them, so that `sample`
    stays true to the receiver's clock. The retune itself stands in each block's `freq`.
    """

    def __init__(self, receiver: Any, freqs: list[float], dwell: float, *, offset: float = 0.0, rounds: int = 0):
        self.receiver, self.freqs, self.dwell, self.offset, self.rounds = receiver, freqs, dwell, offset, rounds
        self.at = -1
        self.round = 0
        self.skip = self.left = self.lost = 0
        self.settle = SETTLE_s if receiver.live else 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.receiver, name)

    def _hop(self) -> bool:
        self.at += 1
        if self.at == len(self.freqs):
            self.at, self.round = 0, self.round + 1
            if self.rounds and self.round == self.rounds:
                return False
        self.receiver.set(freq=self.freqs[self.at] + self.offset)
        self.skip, self.left = round(self.settle * self.rate), max(1, round(self.dwell * self.rate))
        return True

    def read(self) -> Chunk | None:
        while True:
            if not self.left and not self._hop():
                return None
            chunk = self.receiver.read()
            if chunk is None:
                return None
            self.lost += chunk.lost
            size = sample_size(self.receiver.datatype)
            count = nbytes(chunk.data) // size
            if self.skip >= count:
                self.skip -= count
                self.lost += count
                continue
            first, self.skip = self.skip, 0
            last = min(count, first + self.left)
            self.left -= last - first
            lost, self.lost = self.lost + first, count - last
            time = None if chunk.time is None else chunk.time + round(first * 1e9 / chunk.rate)
            sample = None if chunk.sample is None else chunk.sample + first
            return chunk._replace(data=chunk.data[first * size : last * size], lost=lost, time=time, sample=sample)
