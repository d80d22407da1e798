"""The stereo multiplex as a phase. Source: ITU-R BS.450-4 §2 (pilot-tone system)."""

from typing import NamedTuple

import numpy as np

from ._programme import Loop, preemphasised, read_wav
from ._rds import Rds, SUBCARRIER_Hz
from ._tones import Tone, Tones, frequency, product

DEVIATION_Hz = 75e3
PILOT_Hz = 19e3
SINE = -0.25  # turns


class Tuned(NamedTuple):
    """A sine of full loudness on each side; 0 Hz: silence."""

    left: float
    right: float


class Sounds(NamedTuple):
    """Programme audio, float64 (n,) each within ±1; `side` = (left − right) / 2, None for mono."""

    middle: np.ndarray
    side: np.ndarray | None
    rate: float


def sounds(path: str, preemphasis: float) -> Sounds:
    """The audio of a WAV file; `preemphasis` in s, 0 for none."""
    both, rate = read_wav(path)
    if preemphasis:
        both = preemphasised(both, rate, preemphasis)
    return Sounds(both.mean(axis=0), (both[0] - both[1]) / 2 if len(both) == 2 else None, rate)


class Multiplex:
    """Phase in turns on a grid of `rate`, `count` samples at a time, a function of the sample's index alone.

    Frequency: 75 kHz · (0.8 · [(L+R)/2 + (L−R)/2 · sin 2φ] + 0.1 sin φ + 0.04 rds · sin 3φ); mono:
    75 kHz · 0.9 · (L+R)/2.
    """

    def __init__(self, sound: Tuned | Sounds, stereo: bool, rds: tuple[int, str, str] | None, rate: float, count: int):
        self.count = count
        self.loudness = (0.8 if stereo else 0.9) * DEVIATION_Hz
        tones = frequency(Tone(PILOT_Hz, 0.1 * DEVIATION_Hz, SINE)) if stereo else []
        self.middle = self.side = self.rds = None
        if isinstance(sound, Tuned):
            tones += self._tones(sound, stereo)
        else:
            self.middle = Loop(sound.middle * self.loudness, sound.rate, rate, count)
            if stereo and sound.side is not None:
                self.side = Loop(sound.side * self.loudness, sound.rate, rate, count)
        if rds:
            self.rds = Rds(*rds, 0.04 * DEVIATION_Hz, rate, count)
        self.tones = Tones(tones, rate, count) if tones else None
        self.cosine, self.sine = (
            {freq: Tones([Tone(freq, 1.0, turns)], rate, count) for freq in (2 * PILOT_Hz, SUBCARRIER_Hz)}
            for turns in (0.0, SINE)
        )

    def _tones(self, sound: Tuned, stereo: bool) -> list[Tone]:
        tones = []
        for freq, sign in ((sound.left, 1), (sound.right, -1)):
            if freq:
                tones += frequency(Tone(freq, self.loudness / 2, SINE))
                if stereo and sound.left != sound.right:
                    half = Tone(freq, sign * self.loudness / 2, SINE)
                    tones += frequency(*product(Tone(2 * PILOT_Hz, 1.0, SINE), half))
        return tones

    def phase(self, first: int) -> np.ndarray:
        """float64 (count,) from grid sample `first` on."""
        total = self.tones.values(first) if self.tones else np.zeros(self.count)
        if self.middle:
            total += self.middle.phase(first)
        if self.side:
            freq = 2 * PILOT_Hz
            total += self.side.carried(freq, first, self.cosine[freq].values(first), self.sine[freq].values(first))
        if self.rds:
            freq = SUBCARRIER_Hz
            total += self.rds.values(first, self.cosine[freq].values(first), self.sine[freq].values(first))
        return total
