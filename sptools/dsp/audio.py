"""What the audio demodulators share: tuner → detector → audio filter → squelch → 16-bit samples."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

import numpy as np

from sptools.dsp.chunk import Chunked
from sptools.dsp.fir import Banded
from sptools.dsp.kernel import Output
from sptools.dsp.resample import Plan
from sptools.dsp.squelch import Squelch
from sptools.dsp.tuner import Tuner
from sptools.errors import Usage

FULL = 32767


class Detector(Protocol):
    """Turns the channel, float32 (rows, 2, columns), into real samples of the same number."""

    delay: float  # in samples of the channel

    def set(self, turn: float, bias: complex) -> None: ...
    def reset(self) -> None: ...
    def run(self, z: np.ndarray, out: np.ndarray) -> None: ...


class AudioDemodulator(Chunked):
    """Interleaved IQ components → int16 (m,), mono.

    `taps`: the audio filter, at plan.up · plan.rate samples/s, centred on its tap number `centre`; their gain makes what
    the detector gives at full scale 1. `bandwidth` of the channel, Hz. State: the parts' own.
    """

    def __init__(
        self,
        plan: Plan,
        tuner: Tuner,
        detector: Detector,
        taps: np.ndarray,
        centre: float,
        bandwidth: float,
        squelch: float | None,
    ):
        self.plan, self.tuner, self.detector = plan, tuner, detector
        self.output = Output("Audio", float(plan.ratio * Fraction(tuner.rate)), "ri16_le", 1)
        self._audio = Banded(taps * (plan.up * FULL), tuner.count, plan.down, plan.up, plan.rows)
        audio_delay = (centre - (plan.down - 1)) / plan.up  # in samples of the channel
        delay = tuner.delay + tuner.down * (detector.delay + audio_delay)
        hops = plan.chunk // plan.hop
        self._squelch = Squelch(tuner.rate, tuner.zero, plan.hop, hops, int(plan.hop * plan.ratio), delay / plan.hop)
        self._bandwidth = bandwidth
        self._squelch.tune(tuner.offset, bandwidth)
        self._squelch.set(squelch)
        super().__init__(tuner.input, tuner.zero, plan.ratio, delay, "<i2")

    def set(self, **settings: object) -> None:
        """Live: `offset` (Hz), `bandwidth` (Hz, two-sided), `squelch` (dB or None)."""
        for name in settings:
            if name not in ("offset", "bandwidth", "squelch"):
                raise Usage(f"{name} cannot change while running: only offset, bandwidth and squelch can")
        bandwidth = float(settings.get("bandwidth", self._bandwidth))  # type: ignore[arg-type]
        if bandwidth != self._bandwidth:
            most = self.tuner.out_rate - self.tuner.width
            if bandwidth > most:
                raise Usage(f"a bandwidth of {bandwidth:g} Hz: this run is laid out for {most:.0f} at most, start anew with it")
            self.tuner.narrow(bandwidth / 2)
            self._bandwidth = bandwidth
        if "offset" in settings:
            self.tuner.tune(float(settings["offset"]))  # type: ignore[arg-type]
        if "squelch" in settings:
            self._squelch.set(settings["squelch"])  # type: ignore[arg-type]
        self.detector.set(self.tuner.turn, self.tuner.bias)
        self._squelch.tune(self.tuner.offset, self._bandwidth)

    def _clear(self) -> None:
        self.tuner.reset()
        self.detector.reset()
        self._audio.fill(0.0)
        self._squelch.reset()

    def _run(self, out: np.ndarray) -> None:
        self._squelch.measure(self._input)
        self.detector.run(self.tuner.run(), self._audio.input)
        y = self._audio.run().reshape(-1)
        self._squelch.apply(y)
        np.rint(y, out=y)
        np.clip(y, -FULL - 1, FULL, out=y)
        np.copyto(out, y, casting="unsafe")
