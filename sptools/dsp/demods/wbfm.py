"""Broadcast FM."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from sptools.dsp.audio import AudioDemodulator
from sptools.dsp.detect import Discriminator
from sptools.dsp.fir import kaiser_lowpass
from sptools.dsp.resample import plan
from sptools.dsp.tuner import Tuner
from sptools.errors import RateTooLow
from sptools.units import Decibel, Hertz, Live, Rate, Seconds, Within

DEVIATION_Hz = 75e3  # ITU-R BS.450-4 §1: full scale of the audio
LEAST_Hz = 180e3  # below, the sampled band itself cuts the station
STOP_dB = 55.0  # of the channel filter; with more of it the sound does not get better
TIME_s = {"50us": 50e-6, "75us": 75e-6, "off": 0.0}


def wbfm(
    rate: float,
    datatype: str,
    offset: float = 0.0,
    *,
    bandwidth: Annotated[Live[Hertz], Within(80e3, 300e3)] = 200e3,
    deemphasis: Literal["50us", "75us", "off"] = "50us",
    audio: Annotated[Rate, Within(8e3, 192e3)] = 48e3,
    squelch: Annotated[Live[Decibel], Within(0, 80)] | None = None,
    latency: Annotated[Seconds, Within(1e-3, 1)] = 0.05,
) -> AudioDemodulator:
    """Broadcast FM, mono.

    IQ (2n,) → int16 (m,):  y = h * wrap(Δ arg z), where z is the channel and h a low-pass to 15 kHz together with the
    de-emphasis. A deviation of 75 kHz is full scale. The channel filter is flat over the bandwidth and 55 dB down at 1.4
    times that.

    Settings:
        bandwidth: width of the channel filter; less keeps a strong neighbour out, at some distortion
        deemphasis: time constant of the treble cut; 75us in the Americas and South Korea
        audio: output rate
        squelch: silent unless the station is this many dB above the noise floor
        latency: samples worked on at once, as a time; less delay costs more CPU
    Examples:
        sp-capture sim:fm,pace=0 --duration 1s | sp-demod wbfm -o fm.wav
    Source: ITU-R BS.450-4 §2.
    """
    half = min(bandwidth / 2, 0.42 * rate)
    width = min(0.2 * bandwidth, rate / 2 - half)
    if rate < LEAST_Hz:
        raise RateTooLow("wbfm", need=LEAST_Hz, have=rate)
    lowest = min(rate, 200e3)  # a narrow filter leaves the deviation as it is: the phase must not turn by half a turn
    taps_s = 0.8e-3 + 5 * TIME_s[deemphasis]
    p = plan("wbfm", rate, audio, half, half + width, lowest, taps_s, latency, STOP_dB)
    tuner = Tuner(rate, datatype, offset, half, half + width, p.downs, p.chunk, stop=STOP_dB)
    taps, centre = audio_taps(p.rate * p.up, audio, TIME_s[deemphasis])
    taps *= p.rate / 2**32 / DEVIATION_Hz
    detector = Discriminator(tuner.shape, tuner.turn, tuner.bias, tuner.settle)
    return AudioDemodulator(p, tuner, detector, taps, centre, bandwidth, squelch)


def audio_taps(rate: float, audio: float, time: float) -> tuple[np.ndarray, float]:
    """Low-pass that stops the pilot tone (19 kHz) and what would fold, and de-emphasis; unit gain at 0 Hz.

    Gives the taps at `rate` and the place of the low-pass's centre; the de-emphasis lags behind it, as a capacitor does.
    """
    passband = min(15e3, 0.42 * audio)
    low = kaiser_lowpass(rate, passband, min(19e3, audio - passband), 54)
    centre = (len(low) - 1) / 2
    if not time:
        return low, centre
    # cut off after 5 time constants: 0.06 dB, where 9 would cost a fifth of the filter
    decay = np.exp(-np.arange(int(np.ceil(5 * time * rate))) / (time * rate))
    n = len(low) + len(decay) - 1
    size = 1 << n.bit_length()  # by FFT: for 44.1 kHz there are tens of thousands of taps
    return np.fft.irfft(np.fft.rfft(low, size) * np.fft.rfft(decay / decay.sum(), size), size)[:n], centre
