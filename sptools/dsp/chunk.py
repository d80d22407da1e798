"""Makes a kernel out of something that works on chunks of one fixed size, so that no partition of the input shows.

The rounding of a matrix product depends on its number of rows: only equal chunks at equal places give equal bits.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np


class Chunked:
    """Base of the IQ demodulators. A subclass has `_run(out)`, which turns the chunk in `_input` into `_made` outputs,
    and `_clear()`, which forgets. Settings changed with `set` apply from the start of the chunk in hand.

    `input`: float32 (2·chunk,) to be filled with components as they come; `zero`: the component that means 0; `width`:
    components of an output sample.
    State: how full the chunk is, how many samples came.
    """

    def __init__(self, input: np.ndarray, zero: float, ratio: Fraction, delay: float, dtype: str, width: int = 1):
        self.ratio, self.delay = ratio, delay
        self._input, self._zero, self._type = input, zero, np.dtype(dtype)
        self._width = width
        self._made = int(len(input) // 2 * ratio) * width  # components of a chunk's output
        self.reset()

    def reset(self) -> None:
        self._filled = 0  # components
        self._chunks = 0
        self._clear()

    def _clear(self) -> None:
        raise NotImplementedError

    def _run(self, out: np.ndarray) -> None:
        raise NotImplementedError

    def process(self, x: np.ndarray) -> np.ndarray:
        size = len(self._input)
        ready = (self._filled + len(x)) // size
        out = np.empty(ready * self._made, self._type)
        at = 0
        for i in range(ready):
            step = size - self._filled
            np.copyto(self._input[self._filled :], x[at : at + step])
            self._run(out[i * self._made : (i + 1) * self._made])
            at += step
            self._filled = 0
        rest = len(x) - at
        np.copyto(self._input[self._filled : self._filled + rest], x[at:])
        self._filled += rest
        self._chunks += ready
        return out

    def flush(self) -> np.ndarray:
        total = (self._chunks * len(self._input) + self._filled) // 2
        outputs = -(-total * self.ratio.numerator // self.ratio.denominator)
        due = outputs * self._width - self._chunks * self._made
        out = np.empty(self._made, self._type)
        if due:
            self._input[self._filled :] = self._zero
            self._run(out)
        return out[:due]
