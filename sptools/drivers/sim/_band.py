"""A piece of spectrum as an ADC sees it: emitters at absolute frequencies, noise, gain, eight bits.

Samples are made in *cells* of fixed length that depend on their index only, so output is the same however it is cut.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ._noise import UNIT, Noise

NOMINAL_dB = 30.0  # the gain at which an emitter has the amplitude that "auto" gives it
CELL_s = 0.016
FLAT_bytes = 1 << 18


class Emitter(Protocol):
    """Something on the air at `freq`, with `amplitude` (full scale 1.0) at automatic gain."""

    freq: float
    amplitude: float

    def tune(self, offset: float, amplitude: float) -> None:
        """Its place in the band from now on (Hz from the centre), and its amplitude."""

    def samples(self, cell: int) -> np.ndarray | None:
        """int16 (2 · cell length,), interleaved, in 1/64 of a cu8 step; None: silence. Reused by the next call."""


def cell_length(rate: float, multiple: int = 1) -> int:
    """Samples in a cell: 16 ms, a whole number of `multiple`."""
    return max(1, round(rate * CELL_s / multiple)) * multiple


class Band:
    """What a receiver at `rate` hears of `emitters`. `sigma`: noise per component at automatic gain, full scale 1.0."""

    schema = None
    datatype = "cu8"
    start = 0

    def __init__(self, rate: float, freq: float, gain: float, cell: int, emitters: Sequence[Emitter], sigma: float, seed: int):
        self.rate, self.cell, self.emitters, self.sigma, self.seed = rate, cell, emitters, sigma, seed
        self.level = float("nan")
        self.sum = np.empty(2 * cell, np.int16)
        self.bytes = np.empty(2 * cell, np.uint8)
        self.tune(freq, gain)

    def tune(self, freq: float, gain: float) -> None:
        """Moves to `freq`, at `gain` dB (NaN: automatic). An emitter outside the band is filtered away, not aliased."""
        self.freq, self.gain = freq, gain
        level = 1.0 if gain != gain else 10 ** ((gain - NOMINAL_dB) / 20)
        if level != self.level:
            # 127.5 is the middle of cu8, and half a step turns the shift's floor into rounding
            self.level, self.noise = level, Noise(self.seed, 127.5 * self.sigma * level, 128.0)
        self.heard = [e for e in self.emitters if abs(e.freq - freq) < self.rate / 2]
        for emitter in self.heard:
            emitter.tune(emitter.freq - freq, emitter.amplitude * level)
        self.made = -1

    def chunk(self, live: bool) -> int:
        """Samples that one read should give: a cell, or as many as fit in 256 KiB when nobody waits."""
        return self.cell if live else max(1, FLAT_bytes // 2 // self.cell) * self.cell

    def take(self, start: int, stop: int) -> np.ndarray:
        """Samples [start, stop) as uint8 (2 · (stop − start),), a fresh array."""
        out = np.empty(2 * (stop - start), np.uint8)
        at = start
        while at < stop:
            index, skip = divmod(at, self.cell)
            n = min(stop - at, self.cell - skip)
            self.make(index)
            out[2 * (at - start) : 2 * (at - start + n)] = self.bytes[2 * skip : 2 * (skip + n)]
            at += n
        return out

    def make(self, index: int) -> None:
        if self.made == index:
            return
        total = self.sum
        self.noise.write(index, total)
        for emitter in self.heard:
            piece = emitter.samples(index)
            if piece is not None:
                np.add(total, piece, out=total)
        np.clip(total, 0, 256 * UNIT - 1, out=total)
        np.right_shift(total, 6, out=total)
        np.copyto(self.bytes, total, casting="unsafe")
        self.made = index
