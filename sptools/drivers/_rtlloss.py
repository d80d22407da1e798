"""Estimates what a receiver lost: its samples against the monotonic clock.

Neither a dongle nor rtl_tcp numbers its samples, so a loss shows only as a delay that stays: every later block arrives
that much after its time. Delivery also jitters (late, then catches up) and the dongle's crystal drifts; both must not
count. Hence, over windows longer than any hold-up, the *least* lateness is compared.
"""

from __future__ import annotations

DRIFT = 200e-6  # the worst dongles are 100 ppm off, uncorrected; lateness may creep by this, and no faster


class Shortfall:
    """`arrived(n, now)` once a block; it answers how many samples seem to be missing, mostly 0.

    State: the lateness of the undisturbed stream, and what was reported. Shortfalls below one block are not seen
    (until they add up to one), larger ones with an error below one block, one to two `window`s after they happened.
    """

    def __init__(self, rate: float, block: int, window: float = 0.5):
        self.rate, self.block, self.window = rate, block, window
        self._begin: float | None = None

    def arrived(self, count: int, now: float) -> int:
        if self._begin is None:
            self._begin = self._window = now
            self._samples = self._level = self._reported = 0
            self._usual: float | None = None
            self._least, self._before = float("inf"), float("nan")
            return 0
        self._samples += count
        self._least = min(self._least, now - self._begin - self._samples / self.rate)
        if now - self._window < self.window:
            return 0
        least, self._least = self._least, float("inf")
        span, self._window = now - self._window, now
        return self._judge(least, span)

    def _judge(self, least: float, span: float) -> int:
        """`least`: the least lateness (s) of the window just over, which took `span` s."""
        before, self._before = self._before, float("nan")
        one = self.block / self.rate
        if self._usual is None or abs(least - self._usual) <= one:
            self._usual = least if self._usual is None else min(least, self._usual + DRIFT * span)
            return 0
        if not abs(least - before) <= one:  # still falling behind or catching up: wait until it stays
            self._before = least
            return 0
        # a queue upstream that was taken for a loss and then drained is set off against later losses
        self._level += round((least - self._usual) * self.rate)
        self._usual = least
        lost = max(0, self._level - self._reported)
        self._reported += lost
        return lost
