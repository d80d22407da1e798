"""Interpolation by a whole factor, as one matrix product."""

import numpy as np

STOP_dB = 100.0
EDGE = 0.25  # of the slow rate: signals below it pass, their images from 1 − EDGE on are stopped
ROWS = 8  # slow samples that a row of the product advances


def lowpass(factor: int) -> np.ndarray:
    """Kaiser-windowed sinc, float64 (taps a phase, factor).

    Each phase sums to exactly 1, which puts zeros on the images of a constant: a slow, strong tone leaves none behind.
    """
    width = 2 * np.pi * (1 - 2 * EDGE) / factor
    taps = int(np.ceil((STOP_dB - 7.95) / (2.285 * width))) // factor + 1
    taps += taps % 2
    at = (np.arange(taps * factor) - (taps * factor - 1) / 2) / factor
    phases = (np.sinc(at) * np.kaiser(taps * factor, 0.1102 * (STOP_dB - 8.7))).reshape(taps, factor)
    return phases / phases.sum(axis=0)


class Rise:
    """`factor` outputs for each slow sample; `margin` slow samples are needed before and after those of a cell."""

    def __init__(self, factor: int, slow: int, scale: float):
        """`slow`: slow samples in a cell, a multiple of ROWS. `scale`: gain."""
        self.factor, self.slow = factor, slow
        if factor == 1:
            self.margin, self.scale = 0, scale
            self.out = np.empty(slow, np.float32)
            return
        phases = lowpass(factor)
        taps = len(phases)
        self.margin = taps // 2
        # Output m of slow sample i lies (m + ½)/factor − ½ behind i: the half step is a constant delay.
        weights = np.zeros((ROWS + taps, ROWS * factor))
        for i in range(ROWS):
            weights[i : i + taps, i * factor : (i + 1) * factor] = phases[::-1]
        self.weights = (weights * scale).astype(np.float32)
        self.rows = np.empty((slow // ROWS, len(weights)), np.float32)
        self.out = np.empty((slow // ROWS, ROWS * factor), np.float32)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """`x`: (slow + 2 · margin,). Gives float32 (slow · factor,), reused by the next call."""
        if self.factor == 1:
            np.multiply(x, self.scale, out=self.out, casting="unsafe")
            return self.out
        every = np.lib.stride_tricks.sliding_window_view(x, self.rows.shape[1])[::ROWS]
        np.copyto(self.rows, every, casting="unsafe")
        np.matmul(self.rows, self.weights, out=self.out)
        return self.out.reshape(-1)
