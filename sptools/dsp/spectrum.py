"""Averaged power spectra (Welch's method) of interleaved IQ.

For each segment of nfft samples x, every `hop` samples:  X = FFT(w·x),  P[k] = |X[k]|² / (rate · Σw²).
`mean` averages P over the segments of an interval, `peak` and `min` keep the extreme of each bin. Given in dBFS/Hz: a
full-scale complex exponential holds 0 dBFS in all, so its bin reads −10·log10(rbw). An interval's segments never reach
into the next one.
Source: P. D. Welch, IEEE Trans. Audio Electroacoust. 15 (1967).
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from sptools.dsp.window import lobe, noise_bandwidth
from sptools.dsp.window import window as make_window
from sptools.errors import Usage
from sptools.record import component

UNIT = "dBFS/Hz"
DETECTORS = ("mean", "peak", "min")
FLOOR_W = 1e-30  # of a full-scale tone, per Hz: digital silence reads −300 dBFS/Hz instead of −inf
# Samples per FFT call. scipy transforms up to 16 rows in step, one a SIMD lane: single rows take twice the time. More
# samples than 64 K gain little, and the buffers leave the cache.
BATCH, LANES, MOST = 1 << 16, 16, 1 << 20
LARGEST = 1 << 22

# datatype → (component of a zero, component of full scale above that)
SCALE = {"cu8": (127.5, 127.5), "ci8": (0.0, 128.0), "ci16_le": (0.0, 32768.0), "cf32_le": (0.0, 1.0)}


class Average(NamedTuple):
    """One spectrum. `power`: float32 (nfft,), dBFS/Hz, lowest bin first; `sample`: the first that went in."""

    sample: int
    power: np.ndarray
    averages: int


class Welch:
    """Kernel: interleaved components of `datatype`, shape (2n,) → a list of `Average`, one per `interval` samples.

    `overlap` of neighbouring segments, 0 up to 0.9. `interval` None: one spectrum over everything, given by `flush`.
    At the end a shorter interval gives a spectrum with fewer averages, or none when it holds no whole segment.
    State: place in the interval, the samples not yet transformed, the sum.
    """

    ratio = Fraction(0)
    delay = 0.0

    def __init__(
        self,
        rate: float,
        datatype: str = "cu8",
        nfft: int = 1024,
        window: str = "hann",
        detector: str = "mean",
        overlap: float = 0.0,
        interval: int | None = None,
    ):
        if datatype not in SCALE:
            raise Usage(f"no spectra of datatype {datatype!r}, only of IQ: {', '.join(SCALE)}")
        if not 8 <= nfft <= LARGEST:
            raise Usage(f"{nfft} bins: choose from 8 to {LARGEST}")
        if detector not in DETECTORS:
            raise Usage(f"no detector {detector!r}: choose one of {', '.join(DETECTORS)}")
        if not 0 <= overlap <= 0.9:
            raise Usage(f"an overlap of {overlap:g}: choose from 0 to 0.9")
        if interval is not None and interval < nfft:
            raise Usage(f"an interval of {interval} samples holds no FFT of {nfft}: fewer bins or a longer time")
        self.rate, self.datatype, self.nfft, self.window, self.detector = rate, datatype, nfft, window, detector
        self.interval = interval
        self.hop = max(1, round(nfft * (1 - overlap)))
        self.segments = None if interval is None else 1 + (interval - nfft) // self.hop
        w = make_window(window, nfft)
        self.rbw = noise_bandwidth(w) * rate / nfft
        self.lobe = lobe(window)
        self._zero, full = SCALE[datatype]
        self._dtype = component(datatype)
        # the whole scale of P goes into the window, so that no pass over the data is spent on it
        self._window = np.repeat(w / (full * np.sqrt(rate * np.sum(w**2))), 2).astype(np.float32)
        self._rows = max(1, BATCH // nfft, min(LANES, MOST // nfft))
        self._samples = np.empty(2 * ((self._rows - 1) * self.hop + nfft), np.float32)
        self._work = np.empty((self._rows, 2 * nfft), np.float32)
        self._sum = np.zeros(2 * nfft if detector == "mean" else nfft)
        self.reset()

    def reset(self) -> None:
        self._start = 0  # sample where this interval began
        self._skip = 0  # components to leave out: the rest of an interval that has its segments
        self._filled = 0  # components in _samples
        self._clear()

    def _clear(self) -> None:
        self._done = 0
        self._sum.fill(np.inf if self.detector == "min" else 0)

    def process(self, x: np.ndarray) -> list[Average]:
        x = x.view(self._dtype) if x.dtype != self._dtype else x
        found: list[Average] = []
        at = 0
        while at < len(x):
            if self._skip:
                step = min(self._skip, len(x) - at)
                self._skip -= step
                at += step
                continue
            rows = self._rows if self.segments is None else min(self._rows, self.segments - self._done)
            need = 2 * ((rows - 1) * self.hop + self.nfft)
            step = min(need - self._filled, len(x) - at)
            into = self._samples[self._filled : self._filled + step]
            np.copyto(into, x[at : at + step])  # faster than subtracting straight from uint8
            if self._zero:
                into -= np.float32(self._zero)
            self._filled += step
            at += step
            if self._filled == need:
                self._transform(rows)
                if self._done == self.segments:
                    found.append(self._finish())
        return found

    def flush(self) -> list[Average]:
        rows = (self._filled // 2 - self.nfft) // self.hop + 1 if self._filled >= 2 * self.nfft else 0
        if rows:
            self._transform(rows)
        return [self._finish()] if self._done else []

    def _transform(self, rows: int) -> None:
        """The first `rows` segments of _samples into the sum; what the next segment shares with them stays."""
        # imported here: it costs 0.25 s, which nobody should pay who only asks for help or a window
        from scipy.fft import fft

        work = self._work[:rows]
        if self.hop == self.nfft:
            segments = self._samples[: 2 * rows * self.nfft].reshape(rows, -1)
        else:
            view = np.lib.stride_tricks.sliding_window_view(self._samples, 2 * self.nfft)
            segments = view[: 2 * rows * self.hop : 2 * self.hop]
        np.multiply(segments, self._window, out=work)
        bins = fft(work.view(np.complex64), axis=1, overwrite_x=True).view(np.float32)
        if self.detector == "mean":
            self._sum += np.einsum("ij,ij->j", bins, bins)
        else:
            np.multiply(bins, bins, out=bins)
            power = bins[:, ::2] + bins[:, 1::2]
            if self.detector == "peak":
                np.maximum(self._sum, power.max(axis=0), out=self._sum)
            else:
                np.minimum(self._sum, power.min(axis=0), out=self._sum)
        self._done += rows
        used = 2 * rows * self.hop
        left = max(0, self._filled - used)
        self._samples[:left] = self._samples[used : used + left].copy()
        self._filled = left

    def _finish(self) -> Average:
        power = self._sum
        if self.detector == "mean":
            power = (power[::2] + power[1::2]) / self._done
        shown = 10 * np.log10(np.maximum(np.fft.fftshift(power), FLOOR_W))
        average = Average(self._start, shown.astype(np.float32), self._done)
        if self.interval is not None:
            self._skip = 2 * (self.interval - (self._done - 1) * self.hop - self.nfft)
            self._start += self.interval
        self._filled = 0
        self._clear()
        return average


def hide_dc(power: np.ndarray, reach: int) -> np.ndarray:
    """A copy of a spectrum (n,) with its centre bin and `reach` bins on either side on a straight line.

    For receivers whose own DC offset stands as a spike at the tuned frequency; `reach` is the window's `lobe`.
    """
    middle = len(power) // 2
    low, high = middle - reach - 1, middle + reach + 1
    shown = power.copy()
    if low >= 0 and high < len(power):
        shown[low : high + 1] = np.linspace(power[low], power[high], high - low + 1)
    return shown
