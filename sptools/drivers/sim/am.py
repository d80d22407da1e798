"""sim:am: an amplitude-modulated station."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from sptools.errors import Usage
from sptools.units import Decibel, File, Gain, Hertz, Offset, Rate, Within

from ._band import Band, cell_length
from ._carrier import Carrier
from ._modulator import factor_for
from ._programme import Loop, limited, read_wav
from ._rise import Rise
from ._tones import Tone, Tones

GRID_Hz = 20e3
SPEECH_Hz = 4.5e3
AMPLITUDE = 0.5  # of the carrier
CHANNEL_Hz = 10e3  # the carrier-to-noise ratio counts the noise in this width


def am(
    *,
    freq: Hertz = 120e6,
    rate: Rate = 1e6,
    gain: Gain = float("nan"),
    station: Hertz | None = None,
    detune: Offset = 0.0,
    tone: Annotated[Hertz, Within(0, 4.5e3)] = 1e3,
    audio: File | None = None,
    depth: Annotated[float, Within(0, 1)] = 0.8,
    cnr: Decibel = 40.0,
    seed: int = 1,
) -> Band:
    """An AM station: (1 + depth · sound) · carrier; tone=0 is the bare carrier.

    The carrier-to-noise ratio counts the noise in 10 kHz.
    """
    if rate < GRID_Hz:
        raise Usage(f"sim:am needs at least {GRID_Hz:g} samples/s, not {rate:g}")
    factor = factor_for(rate, GRID_Hz)
    cell = cell_length(rate, 8 * factor)
    sigma = AMPLITUDE * (10 ** (-cnr / 10) * rate / CHANNEL_Hz / 2) ** 0.5
    level = min(1.0, 1.0 / (AMPLITUDE * (1 + depth) + 3 * sigma))
    emitter = Envelope((freq if station is None else station) + detune, AMPLITUDE * level, rate, factor, cell, depth)
    grid = rate / factor
    if audio is not None:
        both, audio_rate = read_wav(audio)
        emitter.sound = Loop(limited(both.mean(axis=0), audio_rate, SPEECH_Hz), audio_rate, grid, emitter.count)
    elif tone:
        emitter.sound = Tones([Tone(tone, 1.0, -0.25)], grid, emitter.count)
    return Band(rate, freq, gain, cell, [emitter], sigma * level, seed)


class Envelope:
    """A carrier whose amplitude follows `sound` (Loop or Tones on the slow grid, within ±1)."""

    def __init__(self, freq: float, amplitude: float, rate: float, factor: int, cell: int, depth: float):
        self.freq, self.amplitude, self.depth = freq, amplitude, depth
        self.slow = cell // factor
        self.rise = Rise(factor, self.slow, 1 / (1 + depth))
        self.count = self.slow + 2 * self.rise.margin
        self.carrier = Carrier(rate, cell)
        self.sound: Loop | Tones | None = None
        self.out = np.empty((cell, 2), np.int16)

    def tune(self, offset: float, amplitude: float) -> None:
        # the table holds the crest; the envelope is a share of it
        self.carrier.tune(offset, amplitude * (1 + self.depth))

    def samples(self, cell: int) -> np.ndarray:
        envelope = np.ones(self.count)
        if self.sound:
            envelope += self.depth * self.sound.values(cell * self.slow - self.rise.margin)
        pairs = self.carrier.samples(cell, None).reshape(-1, 2)
        np.multiply(pairs, self.rise(envelope)[:, None], out=self.out, casting="unsafe")
        return self.out.reshape(-1)
