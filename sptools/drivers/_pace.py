"""The clock of sources that imitate a receiver: it holds samples back until they would have been received."""

import time

NAP_s = 0.05  # longest single sleep: a closed source ends its wait within it


class Pacer:
    """Real time, scaled: `due(n)` returns when sample `n` (counted from the first call) is due.

    The time base is the monotonic clock and every deadline is counted from the start, so sleeping late never adds up.
    A reader that falls behind gets what is overdue at once, as from a receiver's queue.
    """

    def __init__(self, rate: float, pace: float = 1.0):
        self.rate = rate * pace  # samples per second of the wall clock
        self.begin: float | None = None
        self.closed = False

    def due(self, sample: int) -> None:
        """Sleeps until sample `sample` has been received."""
        now = time.monotonic()
        if self.begin is None:
            self.begin = now
        self.nap(self.begin + sample / self.rate - now)

    def nap(self, seconds: float) -> None:
        """Sleeps, in pieces, unless closed meanwhile."""
        until = time.monotonic() + seconds
        while not self.closed and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, NAP_s))

    def close(self) -> None:
        self.closed = True
