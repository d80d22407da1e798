"""Silence between transmissions, with clean edges.

The level is the mean power density inside the channel over the noise floor, which is the median density of the bins beside
it: other stations there do not lift a median. Both come from one short spectrum per hop (5 ms) of the undecimated input.
The spectrum is ahead of the sound by the filters' delay, so the gate closes before the noise behind a transmission is heard.
"""

from __future__ import annotations

import math

import numpy as np

HYSTERESIS_dB = 3.0
SEGMENTS = 4  # FFTs a hop: the level then scatters by about 1 dB
NEAR = 20  # the floor is looked for within so many bandwidths
EDGE = 0.46  # of the rate: beyond, receivers' filters fall off


class Squelch:
    """`measure(x)` takes a chunk of components before `apply(y)` takes the sound made of it, float32, in place: zeros
    while closed, raised-cosine ramps of one hop between. `lag`: delay of the sound in hops.
    State: which of the last hops held a signal, the gate, the hysteresis.
    """

    def __init__(self, rate: float, zero: float, hop: int, hops: int, hop_out: int, lag: float):
        self._rate, self._zero, self._hop, self._hops, self._hop_out = rate, zero, hop, hops, hop_out
        # An output hop is heard when every input hop that it stands for held a signal, and so did the neighbours: a hop
        # at the start or the end of a transmission is half noise.
        self._oldest, self._newest = math.floor(-lag) - 1, min(0, math.ceil(1 - lag))
        self._depth = 1 - self._oldest
        self._ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(hop_out) + 0.5) / hop_out)).astype(np.float32)
        self.level: float | None = None
        self.reset()

    def tune(self, offset: float, bandwidth: float) -> None:
        size = 1 << max(4, math.ceil(math.log2(4 * self._rate / bandwidth)))
        self._size = min(size, 1 << int(math.log2(self._hop)))
        freq = np.fft.fftfreq(self._size, 1 / self._rate)
        away = np.abs((freq - offset + self._rate / 2) % self._rate - self._rate / 2)
        width = self._rate / self._size
        self._inside = np.flatnonzero(away <= max(bandwidth / 2, width))
        beside = (away > 0.75 * bandwidth + width) & (np.abs(freq) > 2 * width)
        near = beside & (away <= NEAR * bandwidth) & (np.abs(freq) < EDGE * self._rate)
        for choice in (near, beside, away > bandwidth / 2, away >= np.quantile(away, 0.75)):
            self._outside = np.flatnonzero(choice)
            if len(self._outside) >= 6:
                break
        segments = max(1, min(SEGMENTS, self._hop // self._size))
        starts = np.linspace(0, self._hop - self._size, segments).astype(int)
        self._spans = [slice(start, start + self._size) for start in starts]
        # a Hann window of whole periods: a constant stays within the bins −1, 0 and 1
        self._window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self._size) / self._size)
        # complex128: numpy's FFT of complex64 takes five times as long
        self._segments = np.empty((self._hops, segments, self._size), np.complex128)
        # the median of a mean of exponentials lies below their mean: Wilson–Hilferty, with 2 degrees of freedom each
        self._median = (1 - 1 / (9 * segments)) ** 3

    def set(self, level: float | None) -> None:
        """dB over the floor; None: always open."""
        self.level = level
        if self.idle:
            self._held = [True] * self._depth

    def reset(self) -> None:
        self._gate = self._on = self.level is None
        self._held = [self._gate] * self._depth

    @property
    def idle(self) -> bool:
        """Open for good: nothing is measured and nothing is multiplied."""
        return self.level is None and self._gate

    def measure(self, x: np.ndarray) -> None:
        if self.idle:
            return
        if self.level is None:
            self._held += [True] * self._hops
            return
        z = x.view(np.complex64).reshape(self._hops, self._hop)
        for i, span in enumerate(self._spans):
            np.multiply(z[:, span], self._window, out=self._segments[:, i])
        bins = np.fft.fft(self._segments, axis=-1)
        bins[..., [-1, 0, 1]] -= self._zero * (1 + 1j) * self._size * np.array([-0.25, 0.5, -0.25])
        power = (bins.real**2 + bins.imag**2).mean(axis=1)
        ratio = power[:, self._inside].mean(axis=1) / np.maximum(np.median(power[:, self._outside], axis=1) / self._median, 1e-20)
        for value in ratio:
            self._on = 10 * math.log10(max(float(value), 1e-20)) >= self.level - HYSTERESIS_dB * self._on
            self._held.append(self._on)

    def apply(self, y: np.ndarray) -> None:
        if len(self._held) == self._depth:  # nothing was measured
            return
        now = len(self._held) - self._hops
        for i, hop in enumerate(y.reshape(self._hops, self._hop_out)):
            gate = all(self._held[now + i + self._oldest : now + i + self._newest + 1])
            if gate and not self._gate:
                hop *= self._ramp
            elif self._gate and not gate:
                hop *= self._ramp[::-1]
            elif not gate:
                hop.fill(0)
            self._gate = gate
        del self._held[: self._hops]
