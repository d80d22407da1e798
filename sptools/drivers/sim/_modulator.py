"""A frequency-modulated emitter: phase on a slow grid, interpolated, then a table of cos and sin."""

from collections.abc import Callable

import numpy as np

from ._carrier import TURN, Carrier
from ._rise import Rise


class Modulator:
    """`programme(first)` gives the phase in turns, float64 (slow + 2 · margin,), from slow sample `first` on."""

    def __init__(self, freq: float, amplitude: float, rate: float, factor: int, cell: int):
        self.freq, self.amplitude = freq, amplitude
        self.slow = cell // factor
        self.rise = Rise(factor, self.slow, TURN)
        self.count = self.slow + 2 * self.rise.margin
        self.carrier = Carrier(rate, cell)
        self.turns = np.empty(cell, np.int32)
        self.programme: Callable[[int], np.ndarray] | None = None

    def tune(self, offset: float, amplitude: float) -> None:
        self.carrier.tune(offset, amplitude)

    def samples(self, cell: int) -> np.ndarray:
        """int16 (2n,), interleaved."""
        if self.programme is None:
            return self.carrier.samples(cell, None)
        phase = self.programme(cell * self.slow - self.rise.margin)
        phase -= np.rint(phase[0])  # whole turns: float32 keeps its precision, the table sees no difference
        np.copyto(self.turns, self.rise(phase), casting="unsafe")
        return self.carrier.samples(cell, self.turns)


def factor_for(rate: float, slowest: float) -> int:
    """How much slower than `rate` a grid of at least `slowest` may be."""
    return max(1, int(rate // slowest))
