"""How a tool stops: SIGTERM, SIGINT and their deadlines (law L5); SIGHUP and SIGUSR1 as requests between two blocks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from sptools.transports import _block

GRACE_s = 4.0  # for reading on to the end of the input
FINISH_s = 0.5  # then, for the block in hand


class Signals:
    """`stopping` is set by the first SIGTERM or SIGINT. The first SIGINT makes the end a death of SIGINT; a second aborts."""

    def __init__(self) -> None:
        self.stopping = False
        self.interrupted = False
        self.on_stop: Callable[[], None] = lambda: None  # wakes a source that waits; called inside the handler
        self.wanted: set[str] = set()  # "reload" (SIGHUP), "tally" (SIGUSR1)

    def install(self) -> None:
        # A shell starts background jobs with SIGINT ignored: then it stays ignored.
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGALRM, lambda *_: _block.expire())
        signal.signal(signal.SIGHUP, lambda *_: self.wanted.add("reload"))
        signal.signal(signal.SIGUSR1, lambda *_: self.wanted.add("tally"))

    def _stop(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT:
            if self.interrupted:
                die_of(signal.SIGINT)
            self.interrupted = True
        if not self.stopping:
            self.stopping = True
            self.within(GRACE_s)
            self.on_stop()
            _block.stop()

    @staticmethod
    def within(seconds: float) -> None:
        """From `seconds` on, every call that blocks raises Deadline."""
        _block.blocking.expired = False
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)

    @staticmethod
    def done() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _block.blocking.expired = False


def die_of(number: signal.Signals) -> None:
    """Ends the process by that signal, so that the parent sees the truth."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
