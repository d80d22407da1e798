"""Sums of sinusoids on a slow grid, exact for ever: one cell of each is stored and turned to the phase of every cell."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ._carrier import step

QUARTER = 1 << 62  # a quarter turn in 2⁻⁶⁴ turns


class Tone(NamedTuple):
    """`amplitude` · cos(2π (`freq` t + `turns`))."""

    freq: float
    amplitude: float
    turns: float = 0.0


class Tones:
    """A sum of tones at `rate`, `count` samples at a time."""

    def __init__(self, tones: Sequence[Tone], rate: float, count: int):
        self.steps = np.array([step(t.freq, rate) for t in tones], np.uint64)
        self.amplitudes = np.array([t.amplitude for t in tones])
        self.turns = np.array([t.turns for t in tones])
        angle = self.steps[:, None] * np.arange(count, dtype=np.uint64) * (2 * np.pi * 2.0**-64)
        self.table = np.concatenate([np.cos(angle), np.sin(angle)])

    def values(self, first: int) -> np.ndarray:
        """float64 (count,): samples first, first + 1, …; `first` may be negative."""
        angle = 2 * np.pi * ((self.steps * np.uint64(first & (2**64 - 1))) * 2.0**-64 + self.turns)
        return np.concatenate([np.cos(angle), -np.sin(angle)]) * np.tile(self.amplitudes, 2) @ self.table


def frequency(*tones: Tone) -> list[Tone]:
    """The phase in turns of an oscillator whose frequency (Hz) is the sum of `tones`."""
    return [Tone(t.freq, t.amplitude / (2 * np.pi * t.freq), t.turns - 0.25) for t in tones]


def product(carrier: Tone, other: Tone) -> list[Tone]:
    """carrier · other, as two tones."""
    half = carrier.amplitude * other.amplitude / 2
    return [
        Tone(carrier.freq - other.freq, half, carrier.turns - other.turns),
        Tone(carrier.freq + other.freq, half, carrier.turns + other.turns),
    ]
