"""Finite impulse response filters: their design, and their run as a small matrix product.

A filter with taps h that turns `down` inputs into `up` outputs gives
    y[m] = Σ_i h[m·down + down − 1 − i·up] · x[i],
so y[m] stands for the input at ((m+1)·down − 1 − (len(h)−1)/2) / up, and uses nothing newer than its own group of inputs.

The trick of `Banded`: `rows` groups of outputs form a row of a matrix product whose weights are a banded Toeplitz matrix.
Rows that overlap in memory would make numpy leave BLAS, so the matrix is cut into parts of one row's new inputs; each
part multiplies the same rows, shifted by one, and the products are added. 15 to 20 times the speed of scipy's upfirdn.
Many small products instead of one large one spare OpenBLAS the copying of its operands: another 1.3 times.
"""

from __future__ import annotations

import numpy as np

SMALL = 900_000  # multiplications in a product; OpenBLAS (0.3.10 on) multiplies up to 10⁶ in place, without packing


def kaiser_lowpass(rate: float, passband: float, stopband: float, stop: float = 60.0) -> np.ndarray:
    """float64 (n,), n odd, unit sum. Flat up to `passband`, `stop` dB (50 or more) down from `stopband` on; all in Hz.

    Source: J. F. Kaiser, IEEE ISCAS 1974. Equals scipy.signal.firwin's Kaiser design.
    """
    n = kaiser_length(rate, stopband - passband, stop)
    cut = (passband + stopband) / rate
    taps = cut * np.sinc(cut * (np.arange(n) - n // 2)) * np.kaiser(n, 0.1102 * (stop - 8.7))
    return taps / taps.sum()


def kaiser_length(rate: float, transition: float, stop: float = 60.0) -> int:
    return int(np.ceil((stop - 7.95) * rate / (2.285 * 2 * np.pi * transition))) + 1 | 1


def minimax_lowpass(n: int, passband: float, stopbands: list[tuple[float, float]], weight: float = 1.0) -> np.ndarray:
    """float64 (n,), n odd, unit sum: the least of the largest error, by reweighted least squares.

    `passband` and `stopbands` in cycles per sample; between the bands anything goes, which is what makes a filter before
    a decimation short: only what folds onto the wanted band must go. An error in a stopband counts `weight` times.
    Source: C. L. Lawson, thesis, UCLA 1961.
    """
    half = n // 2
    dense = max(16 * half, 128)
    bands = [(0.0, passband, 1.0, 1.0)] + [(lo, min(hi, 0.5), 0.0, weight) for lo, hi in stopbands]
    f, want, scale = [], [], []
    for lo, hi, value, w in bands:
        points = np.linspace(lo, hi, max(6, round(dense * (hi - lo)) + 2))
        f.append(points)
        want.append(np.full(len(points), value))
        scale.append(np.full(len(points), w))
    freq, target, fixed = np.concatenate(f), np.concatenate(want), np.concatenate(scale)
    cosines = np.cos(2 * np.pi * np.outer(freq, np.arange(half + 1)))
    cosines[:, 1:] *= 2
    ridge = 1e-13 * np.eye(half + 1)  # keeps the solution unique where bands leave freedom
    weights = np.ones(len(freq))
    for _ in range(12):
        rows = cosines * (fixed * np.sqrt(weights))[:, None]
        taps = np.linalg.solve(rows.T @ rows + ridge, rows.T @ (target * fixed * np.sqrt(weights)))
        error = np.abs(cosines @ taps - target) * fixed
        weights *= error / error.max() + 1e-3
        weights /= weights.mean()
    whole = np.concatenate([taps[:0:-1], taps])
    return whole / whole.sum()


def gain(taps: np.ndarray, freq: np.ndarray | float) -> np.ndarray:
    """|H| at `freq`, in cycles per sample."""
    turns = np.outer(np.atleast_1d(freq), np.arange(len(taps)))
    return np.abs(np.exp(-2j * np.pi * turns) @ taps)


class Banded:
    """Filters fixed chunks of float32. Complex data lies interleaved (`width` 2); complex taps cost no more than real ones.

    `input`: where the next chunk is written, float32 (chunk · width,). `run()` gives float32, shape (chunk/(rows·down),
    rows·up·width), or with `planar` (chunk/(rows·down), 2, rows·up): in each row the real parts, then the imaginary ones,
    so that nothing that follows strides over every other element.
    State: the inputs before the chunk that the next outputs still need.
    """

    def __init__(self, taps: np.ndarray, chunk: int, down: int, up: int = 1, rows: int = 8, width: int = 1, planar: bool = False):
        self.down, self.up, self.rows, self.width, self.planar = down, up, rows, width, planar
        self.group = rows * down  # new inputs of a row
        if chunk % self.group:
            raise ValueError(f"a chunk of {chunk} is no whole number of rows of {self.group}")
        self.count = chunk // self.group
        back = max(0, -((down - len(taps)) // up))  # inputs before its own group that the row's first output needs
        self.parts = 1 + -(-back // self.group)
        self._lead = (self.parts - 1) * self.group - back
        self._keep = (self.parts - 1) * self.group * width
        self._buffer = np.zeros(self._keep + chunk * width, np.float32)
        self.input = self._buffer[self._keep :]
        columns = rows * up
        self.output = np.empty((self.count, 2, columns) if planar else (self.count, columns * width), np.float32)
        self._sum = np.empty((self.count, columns * width), np.float32)
        self.set(taps)

    def set(self, taps: np.ndarray) -> None:
        """Other taps, as many as before: what the filter remembers stays."""
        inputs = np.arange(self.parts * self.group) - (self.parts - 1) * self.group
        index = np.arange(self.rows * self.up) * self.down + self.down - 1 - inputs[:, None] * self.up
        inside = (index >= 0) & (index < len(taps))
        dense = np.where(inside, taps[np.where(inside, index, 0)], 0)
        if self.width == 2:  # (re + j·im)(a + j·b): a row for a and one for b, a column for each part of the product
            n, columns = dense.shape
            pieces = np.empty((n, 2, 2, columns))  # input, its part, part of the product, output
            pieces[:, 0, 0], pieces[:, 0, 1] = dense.real, dense.imag
            pieces[:, 1, 0], pieces[:, 1, 1] = -dense.imag, dense.real
            dense = (pieces if self.planar else pieces.swapaxes(2, 3)).reshape(2 * n, 2 * columns)
        size, cut = self.group * self.width, self._lead * self.width
        self._weights = [dense[max(i * size, cut) : (i + 1) * size].astype(np.float32) for i in range(self.parts)]
        self._arrange()

    def feed(self, target: Banded) -> None:
        """Lets `run` write straight into the next filter's input."""
        self.output = target.input.reshape(self.output.shape)
        self._arrange()

    def _arrange(self) -> None:
        """The views that `run` multiplies: (output, its scratch, [(rows, weights) of each part])."""
        size, columns = self.group * self.width, self._sum.shape[1]
        batch = min(self.count, max(1, SMALL // (size * columns)))
        flat = self.output.reshape(self._sum.shape)
        self._products = []
        for lo, rows in ((0, batch), (self.count // batch * batch, self.count % batch)):
            many = (self.count - lo) // rows if rows else 0
            if many:
                part, shape, inputs = slice(lo, lo + many * rows), (many, rows, columns), []
                for i, w in enumerate(self._weights):
                    start = (lo + i) * size
                    view = self._buffer[start : start + many * rows * size].reshape(many, rows, size)
                    inputs.append((view[:, :, size - len(w) :], w))
                self._products.append((flat[part].reshape(shape), self._sum[part].reshape(shape), inputs))

    def fill(self, real: float, imag: float = 0.0) -> None:
        """As if the input had been constant before."""
        self._buffer[:: self.width] = real
        if self.width == 2:
            self._buffer[1::2] = imag

    def run(self) -> np.ndarray:
        for out, scratch, ((view, weights), *others) in self._products:
            np.matmul(view, weights, out=out)
            for view, weights in others:
                np.matmul(view, weights, out=scratch)
                np.add(out, scratch, out=out)
        if self._keep:
            self._buffer[: self._keep] = self._buffer[len(self._buffer) - self._keep :]
        return self.output
