"""A spectrum as one line of a window: a bar of eight heights and a colour for each column."""

from __future__ import annotations

import numpy as np

BLOCKS, ASCII = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
# xterm's 256 colours from cold to hot: one for each height
RAMP = (17, 18, 26, 37, 41, 112, 220, 208, 196)
SPREAD_dB = 25.0  # the least that the heights stand for, so that noise alone does not look like signals
STEP_dB = 5.0  # of the scale that is shown
FOLLOW = 0.1  # share by which the scale follows a quieter spectrum; to a louder one it jumps


class Bars:
    """Keeps the scale from line to line, so that lines under one another can be compared."""

    def __init__(self) -> None:
        self.low = self.high = float("nan")  # exact, followed
        self.bottom = self.top = float("nan")  # shown: multiples of STEP_dB that change seldom

    def line(self, power: np.ndarray, columns: int, *, colour: bool, unicode: bool) -> str:
        """`power`: dB, NaN where nothing was measured. Each column shows the strongest of its bins."""
        shown = squeeze(power, columns)
        self._scale(shown)
        heights = (shown - self.bottom) / (self.top - self.bottom) * 8
        signs = BLOCKS if unicode else ASCII
        parts, last = [], -1
        for height in heights:
            step = 0 if height != height else int(min(8, max(0, np.ceil(height))))
            if colour and step != last:
                parts.append(f"\x1b[38;5;{RAMP[step]}m")
                last = step
            parts.append("?" if height != height else signs[step])
        return "".join(parts) + ("\x1b[0m" if colour and parts else "")

    def scale(self, unicode: bool) -> str:
        """`▁ -105 to █ -50`: what the lowest and the highest bar stand for."""
        signs = BLOCKS if unicode else ASCII
        return f"{signs[1]} {self.bottom:.0f} to {signs[8]} {self.top:.0f}"

    def _scale(self, shown: np.ndarray) -> None:
        self._follow(shown)
        if not abs(self.low - self.bottom) < STEP_dB:
            self.bottom = round(self.low / STEP_dB) * STEP_dB
        if not self.top - 2 * STEP_dB < self.high <= self.top:
            self.top = float(np.ceil(self.high / STEP_dB)) * STEP_dB
        self.top = max(self.top, self.bottom + SPREAD_dB)

    def _follow(self, shown: np.ndarray) -> None:
        known = shown[np.isfinite(shown)]
        if not len(known):
            known = np.zeros(1)
        low = float(np.percentile(known, 25)) - 3
        high = max(float(known.max()), low + SPREAD_dB)
        if self.low != self.low:
            self.low, self.high = low, high
            return
        self.low += FOLLOW * (low - self.low)
        self.high = high if high > self.high else self.high + FOLLOW * (high - self.high)
        self.high = max(self.high, self.low + SPREAD_dB)


def squeeze(power: np.ndarray, columns: int) -> np.ndarray:
    """float (min(n, columns),): the maximum of neighbouring bins, NaN only where all are."""
    power = power.astype(np.float64)
    if len(power) <= columns:
        return power
    edges = np.arange(columns) * len(power) // columns
    most = np.maximum.reduceat(np.where(np.isnan(power), -np.inf, power), edges)
    return np.where(most == -np.inf, np.nan, most)
