"""Offline measures on simulated signals, by scipy.signal: slow, plain, independent of sptools.dsp."""

import numpy as np
from scipy import signal

from sptools.drivers.sim import sim


def collect(address: str, seconds: float, **keys):
    """complex128 samples of the first `seconds` of a simulated station, and the receiver."""
    receiver = sim(address, pace=0, **keys)
    want = int(seconds * receiver.rate)
    parts, have = [], 0
    while have < want:
        parts.append(receiver.read().data)
        have += len(parts[-1]) // 2
    raw = np.concatenate(parts)[: 2 * want].astype(float) - 127.5
    return (raw[::2] + 1j * raw[1::2]) / 127.5, receiver


def multiplex(z: np.ndarray, rate: float, down: int, width: float = 130e3):
    """FM demodulated: Hz per sample at rate / down."""
    taps = signal.firwin(401, width, window=("kaiser", 8.0), fs=rate)
    narrow = signal.upfirdn(taps, z, down=down)
    return np.angle(narrow[1:] * narrow[:-1].conj()) * rate / down / (2 * np.pi)


def audio(mpx: np.ndarray, rate: float, down: int) -> np.ndarray:
    taps = signal.firwin(2001, 15.5e3, window=("kaiser", 9.0), fs=rate)
    return signal.upfirdn(taps, mpx, down=down)


def sinad(x: np.ndarray, rate: float, tone: float, low: float = 30.0, high: float = 15e3) -> float:
    """dB: the tone against everything else between `low` and `high`."""
    window = signal.windows.blackmanharris(len(x), sym=False)
    power = np.abs(np.fft.rfft(x * window)) ** 2
    freq = np.fft.rfftfreq(len(x), 1 / rate)
    near = np.abs(freq - tone) <= max(8.0, 6 * rate / len(x))
    band = (freq >= low) & (freq <= high)
    return 10 * np.log10(power[near].sum() / power[band & ~near].sum())


def level_at(x: np.ndarray, rate: float, tone: float) -> float:
    """Amplitude of a sinusoid in x."""
    window = signal.windows.blackmanharris(len(x), sym=False)
    return 2 * abs(np.sum(x * window * np.exp(-2j * np.pi * tone * np.arange(len(x)) / rate))) / window.sum()
