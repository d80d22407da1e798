"""Amplitude modulation."""

from __future__ import annotations

from typing import Annotated

from sptools.dsp.agc import Leveller
from sptools.dsp.audio import AudioDemodulator
from sptools.dsp.detect import Envelope
from sptools.dsp.fir import kaiser_lowpass
from sptools.dsp.resample import plan
from sptools.dsp.tuner import Tuner
from sptools.errors import RateTooLow
from sptools.units import Decibel, Hertz, Live, Rate, Seconds, Within


def am(
    rate: float,
    datatype: str,
    offset: float = 0.0,
    *,
    bandwidth: Annotated[Live[Hertz], Within(2e3, 50e3)] = 10e3,
    audio: Annotated[Rate, Within(8e3, 192e3)] = 48e3,
    squelch: Annotated[Live[Decibel], Within(0, 80)] | None = None,
    latency: Annotated[Seconds, Within(1e-3, 1)] = 0.05,
) -> AudioDemodulator:
    """Amplitude modulation: air band, short and medium wave.

    IQ (2n,) → int16 (m,):  y = h * (|z| / c − 1), where z is the channel, c its carrier, followed over 0.25 s, and h a
    low-pass of half the bandwidth. Full modulation is full scale, however strong the station.

    Settings:
        bandwidth: width of the channel filter; the sound's is half of it
        audio: output rate
        squelch: silent unless the channel is this many dB above the noise floor
        latency: samples worked on at once, as a time; less delay costs more CPU
    Examples:
        sp-capture sim:am,pace=0 --duration 1s | sp-demod am -o tower.wav
    Source: ITU-R M.2067 (double-sideband with carrier).
    """
    if rate < bandwidth:
        raise RateTooLow("am", need=bandwidth, have=rate)
    half = min(bandwidth / 2, 0.42 * rate)
    width = min(0.2 * bandwidth, rate / 2 - half)
    p = plan("am", rate, audio, half, half + width, min(1.2 * bandwidth, rate), 60 / bandwidth, latency)
    tuner = Tuner(rate, datatype, offset, half, half + width, p.downs, p.chunk)
    sound = min(half, 0.42 * audio)
    taps = kaiser_lowpass(p.rate * p.up, sound, min(1.5 * sound, audio - sound))
    detector = Envelope(tuner.shape, tuner.bias, tuner.settle, Leveller(p.hop // tuner.down, p.rate))
    return AudioDemodulator(p, tuner, detector, taps, (len(taps) - 1) / 2, bandwidth, squelch)
