"""sim:nbfm: a narrow-band voice channel with pauses."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from sptools.errors import Usage
from sptools.units import Decibel, File, Gain, Hertz, Offset, Rate, Seconds, Within

from ._band import Band, cell_length
from ._keyed import Keyed
from ._modulator import Modulator, factor_for
from ._programme import Loop, limited, read_wav, voice
from ._tones import Tone, Tones, frequency

GRID_Hz = 16e3
SPEECH_Hz = 3e3
CTCSS_Hz = 500.0  # peak deviation of the sub-audible tone
AMPLITUDE = 0.5
CHANNEL_Hz = 12.5e3  # the carrier-to-noise ratio counts the noise in this width
SINE = -0.25


def nbfm(
    *,
    freq: Hertz = 145e6,
    rate: Rate = 1e6,
    gain: Gain = float("nan"),
    spacing: Offset = 350e3,
    station: Hertz | None = None,
    detune: Offset = 0.0,
    tone: Annotated[Hertz, Within(0, 3e3)] | None = None,
    audio: File | None = None,
    deviation: Annotated[Hertz, Within(100, 5e3)] = 2.5e3,
    ctcss: Annotated[Hertz, Within(60, 260)] | None = None,
    on: Seconds = 2.0,
    off: Seconds = 1.0,
    cnr: Decibel = 40.0,
    seed: int = 1,
) -> Band:
    """A voice channel, 350 kHz above the centre, that transmits for 2 s and pauses for 1 s.

    The voice is made up, unless there is a tone (0: an unmodulated carrier) or an audio file. The carrier-to-noise
    ratio counts the noise in 12.5 kHz.
    """
    if rate < GRID_Hz:
        raise Usage(f"sim:nbfm needs at least {GRID_Hz:g} samples/s, not {rate:g}")
    if on <= 0:
        raise Usage(f"on={on:g} s: the channel would never transmit")
    factor = factor_for(rate, GRID_Hz)
    cell = cell_length(rate, 8 * factor)
    place = (freq + spacing if station is None else station) + detune
    carrier = Modulator(place, AMPLITUDE, rate, factor, cell)
    grid = rate / factor
    tones = frequency(Tone(ctcss, CTCSS_Hz, SINE)) if ctcss else []
    loop = None
    if audio is not None:
        both, audio_rate = read_wav(audio)
        loop = Loop(limited(both.mean(axis=0), audio_rate, SPEECH_Hz) * deviation, audio_rate, grid, carrier.count)
    elif tone is None:
        loop = Loop(voice(seed) * deviation, 16e3, grid, carrier.count)
    elif tone:
        tones += frequency(Tone(tone, deviation, SINE))
    sum_of = Tones(tones, grid, carrier.count) if tones else None

    def phase(first: int) -> np.ndarray:
        total = sum_of.values(first) if sum_of else np.zeros(carrier.count)
        return total + loop.phase(first) if loop else total

    carrier.programme = phase
    sigma = AMPLITUDE * (10 ** (-cnr / 10) * rate / CHANNEL_Hz / 2) ** 0.5
    level = min(1.0, 1.0 / (AMPLITUDE + 3 * sigma))
    carrier.amplitude *= level
    return Band(rate, freq, gain, cell, [Keyed(carrier, rate, cell, on, off)], sigma * level, seed)
