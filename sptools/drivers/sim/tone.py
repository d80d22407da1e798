"""sim:tone: a plain carrier in white noise."""

from __future__ import annotations

from sptools.units import Decibel, Gain, Hertz, Offset, Rate

from ._band import Band, cell_length
from ._modulator import Modulator


def tone(
    *,
    freq: Hertz = 100e6,
    rate: Rate = 2.4e6,
    gain: Gain = float("nan"),
    station: Hertz | None = None,
    tone: Offset = 100e3,
    level: Decibel = -10.0,
    noise: Decibel = -105.0,
    seed: int = 1,
) -> Band:
    """A carrier of `level` dBFS, `tone` Hz above the centre, in noise of `noise` dBFS/Hz.

    0 dBFS is a circle of radius 1. The eight bits add noise of their own, a sixth of a squared step: −113.7 dBFS/Hz at
    2.4 MS/s.
    """
    cell = cell_length(rate)
    emitter = Modulator(freq + tone if station is None else station, 10 ** (level / 20), rate, 1, cell)
    return Band(rate, freq, gain, cell, [emitter], (10 ** (noise / 10) * rate / 2) ** 0.5, seed)
