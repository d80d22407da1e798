"""SINAD of a tone in audio: the tone's power against all else that can be heard."""

import numpy as np


def sinad(audio: np.ndarray, rate: float, tone: float = 1000.0, low: float = 30.0, high: float = 15e3) -> float:
    """dB. `audio`: real, shape (n,), n > 2 · rate; its first second (settling) and what follows the ninth are left out.

    Blackman-Harris window (side lobes −92 dB); the tone is all within max(8 Hz, 6 bins) of the largest bin near it.
    """
    x = np.asarray(audio, np.float64)[round(rate) : round(9 * rate)]
    n = len(x)
    k = 2 * np.pi * np.arange(n) / n
    window = 0.35875 - 0.48829 * np.cos(k) + 0.14128 * np.cos(2 * k) - 0.01168 * np.cos(3 * k)
    power = np.abs(np.fft.rfft((x - x.mean()) * window)) ** 2
    freq = np.arange(len(power)) * rate / n
    near = np.flatnonzero(np.abs(freq - tone) < 50)
    centre = freq[near[np.argmax(power[near])]]
    signal = np.abs(freq - centre) <= max(8.0, 6 * rate / n)
    heard = (freq >= low) & (freq <= high)
    return float(10 * np.log10(power[signal].sum() / power[heard & ~signal].sum()))
