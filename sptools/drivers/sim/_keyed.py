"""Transmissions with pauses."""

import numpy as np

from ._band import Emitter

RAMP_s = 0.002  # a transmitter's power rises and falls within this, or it would splatter over the band


class Keyed:
    """An emitter that is on the air for `on` s, from sample 0, then silent for `off` s, and so on."""

    def __init__(self, emitter: Emitter, rate: float, cell: int, on: float, off: float):
        self.emitter, self.cell = emitter, cell
        self.freq, self.amplitude = emitter.freq, emitter.amplitude
        self.tune = emitter.tune
        self.on, self.period = round(on * rate), round((on + off) * rate)
        self.ramp = max(1.0, RAMP_s * rate)
        self.out = np.empty((cell, 2), np.int16)

    def samples(self, cell: int) -> np.ndarray | None:
        at = (cell * self.cell) % self.period
        if self.on == self.period or self.ramp <= at <= self.on - self.ramp - self.cell:
            return self.emitter.samples(cell)
        if self.on <= at <= self.period - self.cell:
            return None
        place = (at + np.arange(self.cell)) % self.period
        power = np.clip(np.minimum(place, self.on - 1 - place) / self.ramp, 0, 1)
        gate = np.sin(np.pi / 2 * power) ** 2
        voiced = self.emitter.samples(cell)
        if voiced is None:
            return None
        np.multiply(voiced.reshape(-1, 2), gate[:, None], out=self.out, casting="unsafe")
        return self.out.reshape(-1)
