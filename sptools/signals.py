"""How a tool stops: SIGTERM, SIGINT and their deadlines (law L5); SIGHUP and SIGUSR1 as requests between two blocks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from sptools.transports import _block

GRACE_s = 4.0  # for reading on to the end of the input
FINISH_s = 0.5  # then, for the block in hand


class Signals:
    """`stopping` is set by the first SIGTERM or SIGINT. The first SIGINT makes the end a death of SIGINT; a second aborts.

    SIGHUP asks to read the configuration again, where there is one (`reloads`). Where there is none, or where the terminal
    that we were started from has gone, it stops like SIGTERM: a closed window must not leave a receiver running.
    """

    def __init__(self, reloads: bool = True) -> None:
        self.reloads = reloads
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
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
            self.terminal = has_terminal()
            signal.signal(signal.SIGHUP, self._hang_up)
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

    def _hang_up(self, number: int, frame: object) -> None:
        if self.reloads and not (self.terminal and not has_terminal()):
            self.wanted.add("reload")
        else:
            self._stop(number, frame)

    @staticmethod
    def within(seconds: float) -> None:
        """From `seconds` on, every call that blocks raises Deadline."""
        _block.blocking.expired = False
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)

    @staticmethod
    def done() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _block.blocking.expired = False


def has_terminal() -> bool:
    """Is there a controlling terminal, still?"""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def die_of(number: signal.Signals) -> None:
    """Ends the process by that signal, so that the parent sees the truth."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
