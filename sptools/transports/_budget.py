"""How many bytes may go out now."""

from __future__ import annotations

import time

BURST_s = 0.1  # of the rate may go at once


class Budget:
    """Bytes that may be spent: `rate` of them a second. `wait()`: seconds until something may be spent again."""

    def __init__(self, rate: float):
        self.rate = rate
        self.at = time.monotonic()  # when all that was spent is paid for

    def wait(self) -> float:
        return self.at - BURST_s - time.monotonic()

    def spend(self, n: int) -> None:
        self.at = max(self.at, time.monotonic()) + n / self.rate
