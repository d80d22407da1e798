"""Spectra of neighbouring centre frequencies, joined into one.

Bin k of an n-bin spectrum with centre `freq` and width `span` stands for freq + (k − n//2)·span/n, as an FFT gives it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sptools.errors import BadData, Usage

LARGEST = 1 << 24  # bins of a joined spectrum; 64 MiB of float32


class Strip(NamedTuple):
    """A spectrum and its place: bin len(power)//2 lies at `freq`, all bins together are `span` wide (Hz)."""

    freq: float
    span: float
    power: np.ndarray  # float32 (n,), dB, lowest bin first

    @property
    def step(self) -> float:
        return self.span / len(self.power)

    @property
    def low(self) -> float:
        """Centre of the lowest bin."""
        return self.freq - len(self.power) // 2 * self.step


def crop(strip: Strip, fraction: float) -> Strip:
    """Without `fraction` of its width (0 … 0.9), equally from both edges, where the receiver's filter falls off."""
    if not 0 <= fraction <= 0.9:
        raise Usage(f"cannot crop {fraction:g} of a spectrum: choose from 0 to 0.9")
    n = len(strip.power)
    edge = round(n * fraction / 2)
    power = strip.power[edge : n - edge]
    middle = n // 2 - edge  # where the tuned frequency lies now; freq must name bin len//2
    freq = strip.freq + (len(power) // 2 - middle) * strip.step
    return Strip(freq, len(power) * strip.step, power)


def stitch(strips: list[Strip]) -> Strip:
    """One spectrum from the lowest to the highest bin. Where strips overlap, the one tuned nearest gives the value;
    where none reaches, NaN. Each strip moves by half a bin at most, onto the lowest one's grid."""
    if not strips:
        raise BadData("no spectra to join")
    strips = sorted(strips, key=lambda strip: strip.low)
    step = strips[0].step
    if any(abs(strip.step / step - 1) > 1e-9 for strip in strips):
        raise BadData(f"spectra of different bin widths do not join: {sorted({strip.step for strip in strips})} Hz")
    starts = [round((strip.low - strips[0].low) / step) for strip in strips]
    n = max(start + len(strip.power) for start, strip in zip(starts, strips, strict=True))
    if n > LARGEST:
        raise Usage(f"{n} bins of {step:g} Hz in one spectrum: {LARGEST} are the most; fewer bins or a narrower range")
    power = np.full(n, np.nan, np.float32)
    nearest = np.full(n, np.inf)
    for start, strip in zip(starts, strips, strict=True):
        part = slice(start, start + len(strip.power))
        away = np.abs(np.arange(len(strip.power)) - len(strip.power) // 2).astype(float)
        better = away < nearest[part]
        nearest[part][better] = away[better]
        power[part][better] = strip.power[better]
    return Strip(strips[0].low + n // 2 * step, n * step, power)


def centres(low: float, high: float, usable: float) -> list[float]:
    """The fewest evenly spaced centre frequencies whose bands, each `usable` wide, cover `low` to `high` (Hz)."""
    if not high > low or usable <= 0:
        raise Usage(f"a range from {low:.0f} to {high:.0f} Hz is empty")
    count = max(1, int(np.ceil((high - low) / usable - 1e-9)))
    width = (high - low) / count
    return [low + (k + 0.5) * width for k in range(count)]
