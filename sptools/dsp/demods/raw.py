"""A narrower band: IQ to IQ."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

import numpy as np

from sptools.dsp.chunk import Chunked
from sptools.dsp.fir import Banded, kaiser_lowpass
from sptools.dsp.kernel import Output
from sptools.dsp.mix import Rotator
from sptools.dsp.resample import Plan, plan
from sptools.dsp.tuner import Tuner
from sptools.errors import RateTooLow, Usage
from sptools.units import Rate, Seconds, Within

STOP_dB = 70.0
PASS, EDGE = 0.4, 0.6  # of the output rate; what lies beyond EDGE would fold below PASS


def raw(
    rate: float,
    datatype: str,
    offset: float = 0.0,
    *,
    output_rate: Rate | None = None,
    output_type: Literal["cf32_le", "ci16_le"] = "cf32_le",
    latency: Annotated[Seconds, Within(1e-3, 1)] = 0.05,
) -> RawDemodulator:
    """A part of the band as IQ: shifted, filtered, decimated.

    IQ (2n,) → IQ (2m,):  y[m] = Σ h[k] · x[n−k] · exp(−2jπ · offset · (n−k)/rate). Flat within 0.1 dB up to 0.4 times the
    output rate on both sides, 60 dB down from 0.6 times that on.

    Settings:
        output_rate: samples/s that come out; by default a tenth of what comes in
        output_type: float or 16-bit samples
        latency: samples worked on at once, as a time; less delay costs more CPU
    Examples:
        sp-capture sim:tone,pace=0 --duration 100ms | sp-demod raw --output-rate 48k > narrow.avro
    Source: F. J. Harris, Multirate Signal Processing, 2004.
    """
    wanted = rate / 10 if output_rate is None else output_rate
    if wanted > rate:
        raise RateTooLow("raw", need=wanted, have=rate)
    whole = (Fraction(rate) / Fraction(wanted)).denominator == 1
    stopband = min(EDGE * wanted, rate / 2)
    # a rational step needs room between the band and its image
    lowest, span = (wanted, 1.0) if whole else (min(1.5 * wanted, rate), 2.0)
    p = plan("raw", rate, wanted, PASS * wanted, stopband, lowest, 0 if whole else 8 / wanted, latency, STOP_dB, span)
    tuner = Tuner(rate, datatype, offset, PASS * wanted, stopband, p.downs, p.chunk, False, STOP_dB)
    return RawDemodulator(p, tuner, output_type)


class RawDemodulator(Chunked):
    """Interleaved components → interleaved components. State: the filters' and the oscillator's."""

    def __init__(self, plan: Plan, tuner: Tuner, output_type: str):
        self.tuner = tuner
        out = float(plan.ratio * Fraction(tuner.rate))
        self.output = Output("IQ", out, output_type, 1)
        self._rotator = Rotator(tuner.count, tuner.turn, tuner.first)
        self._last = None
        delay = tuner.delay
        if (plan.up, plan.down) != (1, 1):
            image = max(plan.rate - EDGE * out, 0.5 * out)
            taps = kaiser_lowpass(plan.rate * plan.up, PASS * out, image, STOP_dB)
            self._last = Banded(taps * plan.up + 0j, tuner.count, plan.down, plan.up, plan.rows, 2)
            delay += tuner.down * ((len(taps) - 1) / 2 - (plan.down - 1)) / plan.up
        dtype = "<f4" if output_type == "cf32_le" else "<i2"
        super().__init__(tuner.input, tuner.zero, plan.ratio, delay, dtype, 2)

    def set(self, **settings: object) -> None:
        """Live: `offset` (Hz). The phase goes on from where it is."""
        for name in settings:
            if name != "offset":
                raise Usage(f"{name} cannot change while running: only offset can")
        self.tuner.tune(float(settings.get("offset", self.tuner.offset)))  # type: ignore[arg-type]
        self._rotator.set(self.tuner.turn)

    def _clear(self) -> None:
        self.tuner.reset()
        self._rotator.phase = self.tuner.first
        if self._last:
            self._last.fill(0.0)

    def _run(self, out: np.ndarray) -> None:
        y = self.tuner.run().reshape(-1)
        z = y.view(np.complex64)
        np.subtract(z, np.complex64(self.tuner.bias), out=z)
        self._rotator.run(z)
        if self._last:
            self._last.input[:] = y
            y = self._last.run().reshape(-1)
        if out.dtype.kind == "i":
            np.multiply(y, np.float32(32768), out=y)
            np.rint(y, out=y)
            np.clip(y, -32768, 32767, out=y)
        np.copyto(out, y, casting="unsafe")
