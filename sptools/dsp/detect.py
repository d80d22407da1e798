"""From a complex channel to what it carries: frequency or envelope."""

from __future__ import annotations

import numpy as np

from sptools.dsp.agc import Leveller

# One turn is 2³² steps of an int32, so differences unwrap by themselves. 2147483520 would round π to 2³¹: an invalid cast.
HALF_TURN = 2147483392


class Discriminator:
    """Frequency of a channel:  y[n] = wrap(arg z[n] − arg z[n−1] − turn),  in 2⁻³² turns per sample.

    z: float32 (rows, 2, columns), in each row the real parts, then the imaginary ones; y: float32 (rows·columns,), which
    stands for the time half a sample before n. `settle` first outputs are 0: the phase means nothing before the filters are full.
    State: the last phase.
    """

    delay = 0.5

    def __init__(self, shape: tuple[int, int, int], turn: float, bias: complex, settle: int):
        rows, _, columns = shape
        count = rows * columns
        self._phase = np.empty((rows, columns), np.float32)
        self._bias = np.empty(shape, np.float32)  # whole: adding a row to each row takes three times as long
        self._turns = np.zeros(count + 1, np.int32)
        self._step = np.empty(count, np.int32)
        self._settle = settle
        self.set(turn, bias)
        self.reset()

    def set(self, turn: float, bias: complex) -> None:
        """What the channel still turns (turns per sample, removed exactly to 2⁻³²) and its constant."""
        self._turn = np.array(round((turn % 1.0) * 2**32) % 2**32, np.uint32).view(np.int32)[()]
        self._bias[:, 0], self._bias[:, 1] = bias.real, bias.imag

    def reset(self) -> None:
        self._skip = self._settle

    def run(self, z: np.ndarray, out: np.ndarray) -> None:
        np.subtract(z, self._bias, out=z)
        turns = self._turns
        np.arctan2(z[:, 1], z[:, 0], out=self._phase)
        np.multiply(self._phase.reshape(-1), np.float32(HALF_TURN / np.pi), out=turns[1:], casting="unsafe")
        np.subtract(turns[1:], turns[:-1], out=self._step)
        np.subtract(self._step, self._turn, out=self._step)
        np.copyto(out, self._step)
        turns[0] = turns[-1]
        if self._skip:
            quiet = min(self._skip, len(out))
            out[:quiet] = 0
            self._skip -= quiet


class Envelope:
    """Amplitude of a channel, y = |z|, made even by `leveller`. Same shapes. The `settle` first amplitudes, when the
    filters fill, are taken to be like those that follow. State: the leveller's.
    """

    delay = 0.0

    def __init__(self, shape: tuple[int, int, int], bias: complex, settle: int, leveller: Leveller):
        self._bias = np.empty(shape, np.float32)
        self._settle, self._leveller = settle, leveller
        self.set(0.0, bias)
        self.reset()

    def set(self, turn: float, bias: complex) -> None:
        self._bias[:, 0], self._bias[:, 1] = bias.real, bias.imag

    def reset(self) -> None:
        self._skip = self._settle
        self._leveller.reset()

    def run(self, z: np.ndarray, out: np.ndarray) -> None:
        np.subtract(z, self._bias, out=z)
        np.hypot(z[:, 0], z[:, 1], out=out.reshape(len(z), -1))
        if self._skip:
            quiet = min(self._skip, len(out) - 1)
            out[:quiet] = out[quiet : 2 * quiet + 1].mean()
            self._skip -= quiet
        self._leveller.run(out)
