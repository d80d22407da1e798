"""The time of a sample: counted from an anchor, exact in integers, held against the wall clock.

    time = anchor + (sample − sample at anchor) / rate

A receiver's crystal and the wall clock drift apart. When they are more than `STEP_ns` apart a new anchor is taken:
`time` steps, `sample` does not. Blocks arrive late for many reasons and early for none, so the smallest lateness of the
last second is what tells.
"""

from __future__ import annotations

import ctypes
import time
from collections import deque
from fractions import Fraction

STEP_ns = 20_000_000
WINDOW = 50  # blocks of 20 ms: one second
SECOND = 1_000_000_000


def span(samples: int, rate: float) -> int:
    """Duration of `samples` in ns, rounded; exact for any double `rate`."""
    exact = Fraction(rate)
    return (2 * samples * SECOND * exact.denominator + exact.numerator) // (2 * exact.numerator)


class Clock:
    """Stamps consecutive blocks. `live`: the wall clock corrects it; otherwise time runs by samples alone from `start`."""

    def __init__(self, rate: float, *, live: bool, start: int | None = None, name: str = "none"):
        self.rate, self.live, self.name = rate, live, name
        self.anchor, self.sample = start, 0
        self.late: deque[int] = deque(maxlen=WINDOW)
        self.steps = 0
        self.error = -1
        self._asked = 0

    def stamp(self, sample: int, count: int, now: int | None = None) -> int:
        """Time in ns of sample number `sample`, the first of `count` that have just arrived (`now`: when, ns UTC)."""
        if not self.live:
            if self.anchor is None:
                self.anchor = time.time_ns()
            return self.anchor + span(sample - self.sample, self.rate)
        now = time.time_ns() if now is None else now
        first = now - span(count, self.rate)
        if self.anchor is None:
            self.anchor, self.sample = first, sample
        expected = self.anchor + span(sample - self.sample, self.rate)
        self.late.append(first - expected)
        off = min(self.late)
        if off < -STEP_ns or (off > STEP_ns and len(self.late) == WINDOW):
            self.anchor, self.sample = expected + off, sample
            self.late.clear()
            self.steps += 1
            expected, off = self.anchor, 0
        self._ask(now, abs(off))
        return expected

    def change_rate(self, rate: float, sample: int) -> None:
        """From `sample` on, samples come at another rate."""
        if self.anchor is not None:
            self.anchor, self.sample = self.anchor + span(sample - self.sample, self.rate), sample
        self.rate = rate
        self.late.clear()

    def _ask(self, now: int, off: int) -> None:
        """Once in 10 s: what disciplines the wall clock, and how well."""
        if abs(now - self._asked) > 10 * SECOND:
            self._asked = now
            self._base = discipline() if self.name != "sim" else ("sim", 0)
        self.name, error = self._base
        self.error = -1 if error < 0 else error + off


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2) as far as `tai`, with the padding that follows."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        *((name, ctypes.c_long) for name in ("constant", "precision", "tolerance", "sec", "usec", "tick", "ppsfreq", "jitter")),
        ("shift", ctypes.c_int),
        *((name, ctypes.c_long) for name in ("stabil", "jitcnt", "calcnt", "errcnt", "stbcnt")),
        ("tai", ctypes.c_int),
        ("_pad", ctypes.c_int * 11),
    ]  # fmt: skip


STA_UNSYNC, STA_PPSSIGNAL = 0x0040, 0x0100


def discipline() -> tuple[str, int]:
    """(`ntp`, `pps` or `none`, estimated error in ns or −1) as the kernel says, adjtimex(2)."""
    timex = _Timex()
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return "none", -1
    if state < 0 or timex.status & STA_UNSYNC:
        return "none", -1
    return "pps" if timex.status & STA_PPSSIGNAL else "ntp", timex.esterror * 1000
