"""Narrow-band FM voice."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from sptools.dsp.audio import AudioDemodulator
from sptools.dsp.detect import Discriminator
from sptools.dsp.fir import kaiser_length, kaiser_lowpass
from sptools.dsp.resample import plan
from sptools.dsp.tuner import Tuner
from sptools.errors import RateTooLow
from sptools.units import Decibel, Hertz, Live, Rate, Seconds, Within

VOICE_Hz = (180.0, 300.0, 3400.0, 4200.0)  # stop, pass, pass, stop; below 300 Hz lie the sub-audible tones (CTCSS)
STOP_dB = 50.0


def nbfm(
    rate: float,
    datatype: str,
    offset: float = 0.0,
    *,
    bandwidth: Annotated[Live[Hertz], Within(5e3, 50e3)] = 16e3,
    deviation: Annotated[Hertz, Within(500, 25e3)] = 5e3,
    audio: Annotated[Rate, Within(8e3, 192e3)] = 48e3,
    squelch: Annotated[Live[Decibel], Within(0, 80)] | None = None,
    latency: Annotated[Seconds, Within(1e-3, 1)] = 0.05,
) -> AudioDemodulator:
    """Narrow-band FM voice: amateurs, PMR, marine, public services.

    IQ (2n,) → int16 (m,):  y = h * wrap(Δ arg z), where z is the channel and h a band-pass from 300 to 3400 Hz. The
    channel filter is flat over the bandwidth and 60 dB down at 1.4 times that: 16 kHz holds a deviation of 5 kHz (25 kHz
    channels); for 2.5 kHz (12.5 kHz channels) 11 kHz keep the neighbours out.

    Settings:
        bandwidth: width of the channel filter
        deviation: frequency deviation that makes full scale
        audio: output rate
        squelch: silent unless the channel is this many dB above the noise floor
        latency: samples worked on at once, as a time; less delay costs more CPU
    Examples:
        sp-capture sim:nbfm,pace=0 -f 145M -s 1M --duration 1s | sp-demod nbfm -f 145.35M -l 20 -o voice.wav
    Source: ETSI EN 300 086 (deviation, channels); ITU-T G.712 (voice band).
    """
    if rate < bandwidth:
        raise RateTooLow("nbfm", need=bandwidth, have=rate)
    half = min(bandwidth / 2, 0.42 * rate)
    width = min(0.2 * bandwidth, rate / 2 - half)
    p = plan("nbfm", rate, audio, half, half + width, min(1.5 * bandwidth, rate), 0.025, latency)
    tuner = Tuner(rate, datatype, offset, half, half + width, p.downs, p.chunk)
    taps = voice_taps(p.rate * p.up, audio)
    taps *= p.rate / 2**32 / deviation
    detector = Discriminator(tuner.shape, tuner.turn, tuner.bias, tuner.settle)
    return AudioDemodulator(p, tuner, detector, taps, (len(taps) - 1) / 2, bandwidth, squelch)


def voice_taps(rate: float, audio: float) -> np.ndarray:
    """Band-pass at `rate`: a low-pass less a steeper, lower one, both of one length. Unit gain in the voice band."""
    stop_low, pass_low, pass_high, stop_high = VOICE_Hz
    pass_high = min(pass_high, 0.42 * audio)
    low = kaiser_lowpass(rate, stop_low, pass_low, STOP_dB)
    high = kaiser_lowpass(rate, pass_high, min(stop_high, audio - pass_high), 60.0)
    n = max(len(low), len(high), kaiser_length(rate, pass_low - stop_low, STOP_dB))
    taps = np.zeros(n)
    taps[(n - len(high)) // 2 : (n + len(high)) // 2] += high
    taps[(n - len(low)) // 2 : (n + len(low)) // 2] -= low
    return taps
