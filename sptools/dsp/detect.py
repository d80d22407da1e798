"""From a complex channel to what it carries: frequency or envelope."""

from __future__ import annotations

import numpy as np

# One turn is 2³² steps of an int32, so differences unwrap by themselves. 2147483520 would round π to 2³¹: an invalid cast.
HALF_TURN = 2147483392


class Discriminator:
    """Frequency of a channel:  y[n] = wrap(arg z[n] − arg z[n−1] − turn),  in 2⁻³² turns per sample.

    z: float32 (2, …), real parts then imaginary ones, `count` samples; y: float32 (count,). y[n] stands for the time
    half a sample before n. `settle` first outputs are 0: the phase means nothing before the filters are full.
    State: the last phase.
    """

    delay = 0.5

    def __init__(self, count: int, turn: float, bias: complex, settle: int):
        self._phase = np.empty(count, np.float32)
        self._turns = np.zeros(count + 1, np.int32)
        self._step = np.empty(count, np.int32)
        self._settle = settle
        self.set(turn, bias)
        self.reset()

    def set(self, turn: float, bias: complex) -> None:
        """What the channel still turns (turns per sample, removed exactly to 2⁻³²) and its constant."""
        self._turn = np.array(round((turn % 1.0) * 2**32) % 2**32, np.uint32).view(np.int32)[()]
        self._bias = bias

    def reset(self) -> None:
        self._skip = self._settle

    def run(self, z: np.ndarray, out: np.ndarray) -> None:
        real, imag = z[0].reshape(-1), z[1].reshape(-1)
        if self._bias.real or self._bias.imag:
            np.subtract(real, np.float32(self._bias.real), out=real)
            np.subtract(imag, np.float32(self._bias.imag), out=imag)
        turns = self._turns
        np.arctan2(imag, real, out=self._phase)
        np.multiply(self._phase, np.float32(HALF_TURN / np.pi), out=turns[1:], casting="unsafe")
        np.subtract(turns[1:], turns[:-1], out=self._step)
        np.subtract(self._step, self._turn, out=self._step)
        np.copyto(out, self._step)
        turns[0] = turns[-1]
        if self._skip:
            quiet = min(self._skip, len(out))
            out[:quiet] = 0
            self._skip -= quiet


class Envelope:
    """Amplitude of a channel: y = |z|, full scale 1. Same shapes. State: none."""

    delay = 0.0

    def __init__(self, count: int, bias: complex):
        self._bias = bias

    def set(self, turn: float, bias: complex) -> None:
        self._bias = bias

    def reset(self) -> None:
        pass

    def run(self, z: np.ndarray, out: np.ndarray) -> None:
        real, imag = z[0].reshape(-1), z[1].reshape(-1)
        np.subtract(real, np.float32(self._bias.real), out=real)
        np.subtract(imag, np.float32(self._bias.imag), out=imag)
        np.hypot(real, imag, out=out)
