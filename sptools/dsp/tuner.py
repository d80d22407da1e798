"""From the captured band to one channel: shift, filter and decimate in one go.

    components ── filter 1, ÷ downs[0] ── filter 2, ÷ downs[1] … ── complex, at the channel rate

Each filter but the last keeps out only what would fold onto the channel; the last one makes the edge from `passband` to
`stopband`. All have complex taps around the wanted frequency as it lies at their input; so the chain is linear and
constant in time, the middle of the integers (127.5 for cu8) stays a constant `bias`, and what comes out turns by `turn`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sptools.dsp.fir import Banded, gain, kaiser_length, kaiser_lowpass, minimax_lowpass
from sptools.dsp.mix import shifted
from sptools.dsp.resample import ROWS, length
from sptools.errors import OutsideBand, Usage


class Scale(NamedTuple):
    zero: float  # the component that means 0
    full: float  # full scale, above that
    dtype: str


# 127.5: the middle of cu8's 0…255
SCALES = {
    "cu8": Scale(127.5, 127.5, "u1"),
    "ci8": Scale(0.0, 128.0, "i1"),
    "ci16_le": Scale(0.0, 32768.0, "<i2"),
    "cf32_le": Scale(0.0, 1.0, "<f4"),
}
LONGEST = 120  # taps; a longer minimax design takes more start-up time than its shorter filter saves


def scale_of(datatype: str) -> Scale:
    if datatype not in SCALES:
        raise Usage(f"{datatype!r} is no IQ datatype that can be demodulated: use one of {', '.join(SCALES)}")
    return SCALES[datatype]


def guard_taps(rate: float, down: int, passband: float, stopband: float, stop: float) -> np.ndarray:
    """Low-pass before a decimation that is not the last: only what folds onto ±`stopband` is kept out. Unit sum."""
    out = rate / down
    folds = [((k * out - stopband) / rate, (k * out + stopband) / rate) for k in range(1, down // 2 + 1)]
    folds = [(lo, min(hi, 0.5)) for lo, hi in folds if lo < 0.5]
    return shortest(passband / rate, folds, length(rate, out - stopband - passband, stop), stop)


def edge_taps(rate: float, passband: float, stopband: float, stop: float, n: int = 0) -> np.ndarray:
    """Low-pass with the channel's edge; with `n` that many taps, enough for the same width elsewhere. Unit sum."""
    if kaiser_length(rate, stopband - passband, stop) > LONGEST:
        return kaiser_lowpass(rate, passband, stopband, stop)
    edge = [(stopband / rate, 0.5)]
    if n:
        return minimax_lowpass(n, passband / rate, edge, max(1.0, 1e-3 * 10 ** (stop / 20)))
    return shortest(passband / rate, edge, length(rate, stopband - passband, stop), stop)


def shortest(passband: float, stopbands: list[tuple[float, float]], guess: float, stop: float) -> np.ndarray:
    """The shortest minimax low-pass with `stop` dB and a ripple of 0.1 % or less; `passband`… in cycles per sample."""
    if not stopbands:
        return np.ones(1)
    n = max(3, int(0.75 * guess)) | 1
    worst = 10 ** (-stop / 20)
    weight = max(1.0, 1e-3 / worst)
    edges = np.concatenate([np.linspace(lo, hi, 40) for lo, hi in stopbands])
    while True:
        taps = minimax_lowpass(n, passband, stopbands, weight)
        missing = 20 * np.log10(gain(taps, edges).max() / worst)
        if missing < 0.4 or n > LONGEST + 40:
            return taps
        n += max(2, 2 * int(0.35 * missing * guess / (stop - 6)))


class Tuner:
    """Filters fixed chunks. `input`: where the next `chunk` of components is written, float32 (2·chunk,). `run()` gives
    the channel, shape (n/ROWS, 2, ROWS), real parts then imaginary, or with `planar=False` interleaved. Full scale is 1.

    `turn`: turns per output sample that are left; `first`: the phase in turns of the first output; `bias`: complex
    constant left; `delay`: in input samples; `settle`: outputs until the filters are full.
    State: what the filters remember.
    """

    def __init__(
        self,
        rate: float,
        datatype: str,
        offset: float,
        passband: float,
        stopband: float,
        downs: tuple[int, ...],
        chunk: int,
        planar: bool = True,
        stop: float = 60.0,
    ):
        self.rate, self.chunk, self.stop, self.downs = rate, chunk, stop, downs
        self.zero, full, self.dtype = scale_of(datatype)
        self.width = stopband - passband  # of the edge
        self.passband = passband
        rates = [rate]
        for down in downs:
            rates.append(rates[-1] / down)
        self._edge_rate, self.out_rate = rates[-2], rates[-1]
        self._taps = [guard_taps(at, down, passband, stopband, stop) for at, down in zip(rates, downs[:-1], strict=False)]
        self._taps.append(edge_taps(self._edge_rate, passband, stopband, stop))
        self._full = full
        self._filters: list[Banded] = []
        self.delay, before = 0.0, 1
        for i, (taps, down) in enumerate(zip(self._taps, downs, strict=True)):
            last = i == len(downs) - 1
            self._filters.append(Banded(taps + 0j, chunk // before, down, 1, ROWS, 2, last and planar))
            self.delay += before * ((len(taps) - 1) / 2 - (down - 1))
            before *= down
        self.down = before
        self.count = chunk // before
        self.settle = int(np.ceil(2 * (self.delay + before) / before))
        self.tune(offset)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of what `run` gives with `planar`."""
        return self.count // ROWS, 2, ROWS

    @property
    def input(self) -> np.ndarray:
        return self._filters[0].input

    def tune(self, offset: float) -> None:
        """Another wanted frequency, from the next chunk on."""
        if abs(offset) > self.rate / 2:
            raise OutsideBand(freq=offset, low=-self.rate / 2, high=self.rate / 2)
        self.offset = offset
        self._shape()

    def narrow(self, passband: float) -> None:
        """Another channel width: the edge moves, its steepness and the delay stay."""
        self.passband = passband
        n = len(self._taps[-1])
        self._taps[-1] = edge_taps(self._edge_rate, passband, passband + self.width, self.stop, n)
        self._shape()

    def _shape(self) -> None:
        turn = self.offset / self.rate
        level = complex(self.zero, self.zero)
        self._levels = []
        for i, (taps, filter) in enumerate(zip(self._taps, self._filters, strict=True)):
            moved = shifted(taps, turn) / (self._full if i == 0 else 1.0)
            filter.set(moved)
            if i:
                self._filters[i - 1].feed(filter)
            self._levels.append(level)
            level *= moved.sum()
            turn = turn * filter.down % 1.0
        self.turn, self.bias = turn, level
        self.first = self.offset / self.rate * (self.down - 1) % 1.0

    def reset(self) -> None:
        for level, filter in zip(self._levels, self._filters, strict=True):
            filter.fill(level.real, level.imag)

    def run(self) -> np.ndarray:
        for filter in self._filters:
            out = filter.run()
        return out
