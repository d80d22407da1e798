"""Frequency shifts. Inside a filter they are free: taps h[k]·exp(2jπ·t·k) pass the band around t turns per sample.

What comes out of such a filter still turns. A chain of them needs no mixer at all when the following filters are shifted
to where the wanted band then lies; FM subtracts the last turn as a constant, an envelope does not see it. Only where
baseband itself is wanted does `Rotator` turn it back.
"""

from __future__ import annotations

import numpy as np


def shifted(taps: np.ndarray, turn: float) -> np.ndarray:
    """complex128: the low-pass `taps`, moved up by `turn` turns per sample."""
    return taps * np.exp(2j * np.pi * (turn % 1.0) * np.arange(len(taps)))


class Rotator:
    """Turns chunks of complex64 by −`turn` turns per sample, from −`first` turns on. State: the phase.

    Within a chunk the phase is a table, computed in float64; between chunks it is carried modulo 1, so it never drifts.
    """

    def __init__(self, count: int, turn: float, first: float):
        self.count = count
        self.phase = first % 1.0
        self.set(turn)

    def set(self, turn: float) -> None:
        """Another speed, from the phase reached."""
        self.turn = turn % 1.0
        self._table = np.exp(-2j * np.pi * (self.turn * np.arange(self.count) % 1.0)).astype(np.complex64)
        self._turns = np.empty_like(self._table)

    def run(self, z: np.ndarray) -> np.ndarray:
        """complex64 (count,), in place."""
        np.multiply(self._table, np.complex64(np.exp(-2j * np.pi * self.phase)), out=self._turns)
        np.multiply(z, self._turns, out=z)
        self.phase = (self.phase + self.turn * self.count) % 1.0
        return z
