"""What the audio demodulators share: tuner → detector → (leveller) → audio filter → (gate) → 16-bit samples."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from sptools.dsp.chunk import Chunked
from sptools.dsp.fir import Banded
from sptools.dsp.kernel import Output
from sptools.dsp.resample import Plan, rows_for
from sptools.dsp.tuner import Tuner
from sptools.errors import Usage

FULL = 32767


class Detector(Protocol):
    delay: float

    def set(self, turn: float, bias: complex) -> None: ...
    def reset(self) -> None: ...
    def run(self, z: np.ndarray, out: np.ndarray) -> None: ...


class AudioDemodulator(Chunked):
    """Interleaved IQ components → int16 (m,), mono.

    `taps`: the audio filter, at plan.up · plan.rate samples/s, whose impulse response is centred on `centre` taps.
    Their gain makes full scale 1 of what the detector gives. State: the parts' own.
    """

    def __init__(self, plan: Plan, tuner: Tuner, detector: Detector, taps: np.ndarray, centre: float):
        self.plan, self.tuner, self.detector = plan, tuner, detector
        self.output = Output("Audio", float(plan.ratio * _exact(tuner.rate)), "ri16_le", 1)
        self._audio = Banded(taps * (plan.up * FULL), tuner.count, plan.down, plan.up, rows_for(plan.up))
        audio_delay = (centre - (plan.down - 1)) / plan.up  # in samples of the channel
        delay = tuner.delay + tuner.down * (detector.delay + audio_delay)
        super().__init__(tuner.input, tuner.zero, plan.ratio, delay, "<i2")

    def set(self, **settings: object) -> None:
        """Live: `offset` (Hz), `bandwidth` (Hz, two-sided, up to the first one)."""
        for name, value in settings.items():
            if name == "offset":
                self.tuner.tune(float(value))  # type: ignore[arg-type]
            elif name == "bandwidth":
                self._narrow(float(value))  # type: ignore[arg-type]
            else:
                raise Usage(f"{name} cannot change while running")
        self.detector.set(self.tuner.turn, self.tuner.bias)

    def _narrow(self, bandwidth: float) -> None:
        most = self.tuner.out_rate - self.tuner.width
        if bandwidth > most:
            raise Usage(f"a bandwidth of {bandwidth:g} Hz is more than this run is laid out for, {most:.0f}: start anew with it")
        self.tuner.narrow(bandwidth / 2)

    def _clear(self) -> None:
        self.tuner.reset()
        self.detector.reset()
        self._audio.fill(0.0)

    def _run(self, out: np.ndarray) -> None:
        self.detector.run(self.tuner.run(), self._audio.input)
        y = self._audio.run().reshape(-1)
        np.rint(y, out=y)
        np.clip(y, -FULL - 1, FULL, out=y)
        np.copyto(out, y, casting="unsafe")


def _exact(rate: float):
    from fractions import Fraction

    return Fraction(rate)
