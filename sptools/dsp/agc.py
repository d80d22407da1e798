"""Automatic gain: makes the carrier of an amplitude-modulated channel 1 and takes it away."""

from __future__ import annotations

import numpy as np

SUDDEN = 2.0  # a carrier that grows by more than this between two hops is another transmission: no smoothing
FAINT = 1e-5  # of full scale: below, the gain stays where it is, so that digital silence stays silent


class Leveller:
    """In place, per hop of the envelope e:  y = e / c − 1, where the carrier c follows the hops' means.

    c moves towards each mean with the time constant `decay` (slow against speech, so that it leaves the sound alone),
    linearly within a hop. When a carrier comes up it jumps, and is then the average of the hops since, without that first
    one, which began before the carrier. y is the modulation, −1…1 at full depth.
    e: float32 (hops·hop,), 0 or more. State: the carrier, how many hops ago it came up.
    """

    def __init__(self, hop: int, rate: float, decay: float = 0.25):
        self._hop = hop
        self._speed = 1 - float(np.exp(-hop / rate / decay))
        self._ramp = np.arange(1, hop + 1, dtype=np.float32) / np.float32(hop)
        self.reset()

    def reset(self) -> None:
        self._carrier, self._age = 0.0, 0

    def run(self, e: np.ndarray) -> None:
        for hop in e.reshape(-1, self._hop):
            mean, before = max(float(hop.mean()), FAINT), self._carrier
            if mean > SUDDEN * before:
                before = after = mean
                self._age = 0
            else:
                self._age += 1
                after = before + max(self._speed, 1 / self._age) * (mean - before)
            np.divide(hop, np.float32(before) + np.float32(after - before) * self._ramp, out=hop)
            np.subtract(hop, np.float32(1), out=hop)
            self._carrier = after
