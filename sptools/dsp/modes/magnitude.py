"""IQ of any datatype and rate → pulse heights at 2 MS/s.

cu8 at 2 MS/s takes the short way: a table over all 65,536 pairs of bytes. Everything else becomes complex float32; at
another rate, or off tune, a short interpolator makes the 2 MS/s that the decoder wants: p outputs for q inputs
(rate/2 MHz = q/p), a small matrix product. Tuning is in its taps; the heights do not see the phase, so nothing is
derotated. Heights are uint16, 60 for each 1/127.5 of full scale (at most 10,819: six times that fits in 16 bits, which the
preamble's tests use).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from sptools import errors

RATE = 2e6
UNIT = 60.0
FULL = UNIT * 127.5  # height of a full-scale carrier
MOST = 10922  # 6 · height must fit in 16 bits
AVERAGE_s = 0.4e-6  # of a pulse's 0.5 µs
LOBES = 6  # of the sinc on each side
PHASES = 100  # most outputs a period of the interpolator
ERROR = 1e-4  # of the heights' rate: 0.02 samples at the end of a message
SLACK_Hz = 250e3  # a message 250 kHz off tune keeps its shape at 2 MS/s

SCALE = {"cu8": 127.5, "ci8": 128.0, "ci16_le": 32768.0, "cf32_le": 1.0}


def pair_table() -> np.ndarray:
    """Height of every pair of bytes, I in the low one: uint16 (65536,)."""
    axis = (np.arange(256) - 127.5) ** 2
    return np.rint(UNIT * np.sqrt(axis[None, :] + axis[:, None])).astype(np.uint16).ravel()


class PairTable:
    """cu8 at 2 MS/s. No state."""

    ratio = Fraction(1)
    delay = 0.0

    def __init__(self) -> None:
        self._table = pair_table()

    def heights(self, x: np.ndarray, out: np.ndarray) -> None:
        """`x`: uint8 (2n,), contiguous. `out`: uint16 (n,)."""
        self._table.take(x.view("<u2"), out=out, mode="clip")  # any 16 bits are in the table: clip spares a check

    def tune(self, offset: float) -> None:
        """Nothing to do: heights do not see a small offset, and `front` refuses a larger one."""

    def reset(self) -> None:
        pass


class Interpolator:
    """Other datatypes and rates. State: the last inputs that later outputs still need."""

    def __init__(self, rate: float, datatype: str, offset: float):
        self.ratio = simplest_ratio(rate)
        self._scale, self._middle = SCALE[datatype], 127.5 if datatype == "cu8" else 0.0
        self._step, self._out = self.ratio.denominator, self.ratio.numerator
        reach = int(np.ceil(LOBES + AVERAGE_s * rate / 2))
        if self.ratio == 1:  # only the datatype is another
            reach = 0
        self._keep = 2 * reach
        self.delay = float(reach)
        self._rate, self._reach = rate, reach
        self.tune(offset)
        self.reset()

    def tune(self, offset: float) -> None:
        """Changes the wanted frequency from the next chunk on."""
        self._weights = interpolator_taps(self._step, self._out, self._reach, self._rate, offset) if self._reach else None

    def reset(self) -> None:
        self._past = np.zeros(self._keep, np.complex64)

    def heights(self, x: np.ndarray, out: np.ndarray) -> None:
        """`x`: components (2n,), n a multiple of the ratio's denominator. `out`: uint16 (n · ratio,), `delay` inputs late."""
        with np.errstate(over="ignore", invalid="ignore"):  # float input may hold anything
            height = self._filter(x)
        np.copyto(out, np.minimum(np.rint(np.nan_to_num(height, nan=0.0)), MOST), casting="unsafe")

    def _filter(self, x: np.ndarray) -> np.ndarray:
        z = ((x.astype(np.float32) - np.float32(self._middle)) * np.float32(1 / self._scale)).view(np.complex64)
        if self._weights is None:
            y = z
        else:
            joined = np.concatenate((self._past, z))
            self._past = joined[len(z) :].copy()
            rows = np.lib.stride_tricks.sliding_window_view(joined, self._keep + self._step)[:: self._step]
            y = np.ascontiguousarray(rows[: len(z) // self._step]) @ self._weights
        return np.abs(y.ravel()) * np.float32(FULL)


def simplest_ratio(rate: float) -> Fraction:
    """Outputs for each input, to `ERROR`; where an output belongs in the input stays exact. Raises Usage if there is none."""
    for out in range(1, PHASES + 1):
        step = round(out * rate / RATE)
        if abs(out * rate / RATE / step - 1) <= ERROR:
            return Fraction(out, step)
    raise errors.Usage(f"adsb cannot use {rate:.12g} samples/s: give 2M or a simple multiple such as 2.4M (-s 2M)")


def interpolator_taps(step: int, out: int, reach: int, rate: float, offset: float) -> np.ndarray:
    """complex64 (2·reach + step, out): column m makes the output at input m·step/out of a row that begins `reach` before it.

    A Hann-windowed sinc between the input's samples, averaged over 0.4 µs: nearly the matched filter of a pulse, without the
    ringing of a sharp edge that would fill the preamble's silence (2.4 MS/s: 92 of 100 messages at random timing; the
    bare sinc 81; 2 MS/s itself 94). Turned to `offset` (Hz), unit gain there.
    """
    at = reach + np.arange(out) * step / out
    away = np.arange(2 * reach + step)[:, None] - at  # in input samples
    spread = np.linspace(-0.5, 0.5, 41) * AVERAGE_s * rate
    near = away[..., None] + spread
    window = np.where(np.abs(near) < LOBES, np.cos(np.pi * near / (2 * LOBES)) ** 2, 0)
    taps = (np.sinc(near) * window).mean(axis=-1)
    taps = taps / taps.sum(axis=0)
    return (taps * np.exp(-2j * np.pi * offset * away / rate)).astype(np.complex64)


def front(rate: float, datatype: str, offset: float) -> PairTable | Interpolator:
    """What fits the input. Raises RateTooLow, or Usage for a datatype or rate that cannot be used."""
    if datatype not in SCALE:
        raise errors.Usage(f"adsb cannot use {datatype!r} samples: give one of {', '.join(SCALE)}")
    check(rate, offset)
    if rate == RATE and datatype == "cu8":
        return PairTable()
    return Interpolator(rate, datatype, offset)


def check(rate: float, offset: float) -> None:
    """Raises RateTooLow if a message `offset` Hz off the middle does not fit in."""
    need = RATE + 2 * max(0.0, abs(offset) - SLACK_Hz)
    if not rate >= need:
        raise errors.RateTooLow("adsb", need=need, have=rate)
