"""The loop of every filter: source → stages → sinks; how it ends, and what it says then."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from sptools.errors import FAILS_LATE, BadData, SpError
from sptools.record import Item, Start
from sptools.signals import FINISH_s, GRACE_s, Signals, die_of
from sptools.tally import Tally
from sptools.transports._block import Deadline, Stopped

FLUSH_s = 0.1  # records that a sink gathers wait no longer


class Sink(Protocol):
    """One with `prompt = True` is flushed after what each input item gave: lines for people and scripts do not wait."""

    def put(self, item: Item) -> None: ...
    def flush(self) -> None: ...
    def close(self, ok: bool = True) -> None: ...


class Step(Protocol):
    def feed(self, item: Item) -> Iterator[Item]: ...
    def finish(self) -> Iterator[Item]: ...


class Run:
    """`source` yields items; the step turns an item into any number of items; every sink gets them all.

    `stop` is given where the source is a receiver: SIGTERM calls it, and what the source still holds is delivered; else
    reading goes on to the end of the input, 4 s at most. `reload` applies changed settings after SIGHUP; None: there is
    nothing to read again. `say(text)` writes a line to stderr, `warn(text)` one that matters; `report()` is called once,
    at the very end, also before the process dies of a signal.
    """

    def __init__(
        self,
        source: Iterator[Item],
        step: Step,
        sinks: list[Sink],
        tally: Tally,
        *,
        stop: Callable[[], None] | None = None,
        reload: Callable[[], None] | None = None,
        say: Callable[[str], None] = lambda _: None,
        warn: Callable[[str], None] = lambda _: None,
        report: Callable[[], None] = lambda: None,
    ):
        self.source, self.step, self.sinks, self.tally = source, step, sinks, tally
        self.reload, self.say, self.warn, self.report = reload, say, warn, report
        self.signals = Signals(reloads=reload is not None)
        if stop is not None:
            self.signals.on_stop = stop
        self.flushed = time.monotonic()
        self.waits = ""  # what a call that blocks waits for

    def __call__(self) -> None:
        """Runs to the end. Raises what went wrong (BadData after the good part was delivered), or dies of its signal."""
        self.signals.install()
        dies_of: signal.Signals | None = None
        try:
            problem = self._read_all()
            self._finish()
            if problem:
                raise problem
        except BrokenPipeError:
            self._reader_left()
            dies_of = None if self.signals.stopping else signal.SIGPIPE
        finally:
            self._close_quietly()
            self.signals.done()
            self.report()
            if self.signals.interrupted:
                dies_of = signal.SIGINT
            if dies_of:
                die_of(dies_of)

    # ------------------------------------------------------------ the loop
    def _read_all(self) -> SpError | None:
        """Reads to the end. What went wrong with the input, where a part of it was good: that is delivered first."""
        try:
            return self._read()
        except Stopped:
            pass
        except Deadline:
            self.tally.add("left")
            self.warn(f"stopped {GRACE_s:g} s ago, and {self.waits}: the rest is left")
            self.signals.within(FINISH_s)
        finally:
            close = getattr(self.source, "close", None)
            if close:
                close()
        return None

    def _read(self) -> SpError | None:
        began = accepted = False
        while True:
            self.waits = "the input has not ended"
            try:
                item = next(self.source)
            except StopIteration:
                return None
            except FAILS_LATE as error:
                if not began:
                    raise
                return error
            began = True
            self.waits = "nobody takes the output"
            try:
                self._put_all(self.step.feed(item))
            except BadData as error:
                if not accepted:
                    raise
                return error
            accepted = accepted or not isinstance(item, Start)
            now = time.monotonic()
            if now - self.flushed > FLUSH_s:
                self.flushed = now
                for sink in self.sinks:
                    sink.flush()
            if self.signals.wanted:
                self._requests()

    def _put_all(self, items: Iterator[Item]) -> None:
        puts = [sink.put for sink in self.sinks]
        for item in items:
            for put in puts:
                put(item)
        for sink in self.sinks:
            if getattr(sink, "prompt", False):
                sink.flush()

    def _requests(self) -> None:
        wanted, self.signals.wanted = self.signals.wanted, set()
        if "tally" in wanted:
            self.say(self.tally.line())
        if "reload" in wanted and self.reload:
            try:
                self.reload()
            except SpError as error:  # the stream goes on with what it had
                self.warn(f"not changed: {error}")

    # ------------------------------------------------------------ endings
    def _finish(self) -> None:
        """What the steps still hold; then every output is closed. A blocked stdout does not keep the files from it."""
        try:
            self._put_all(self.step.finish())
            while self.sinks:
                self.sinks[-1].close(True)
                self.sinks.pop()
        except Deadline:
            self.tally.add("left")
            self.signals.within(FINISH_s / 2)
            self._close_each(ok=True)

    def _reader_left(self) -> None:
        """EPIPE: quiet; the files among the outputs are closed whole."""
        quiet_stdout()
        self._close_each(ok=True)

    def _close_each(self, ok: bool) -> None:
        """Closes what is still open, whatever one of them says."""
        while self.sinks:
            try:
                self.sinks.pop().close(ok)
            except (Deadline, OSError, SpError):
                pass

    def _close_quietly(self) -> None:
        """After an error: nothing may look whole that is not."""
        self._close_each(ok=False)


def quiet_stdout() -> None:
    """Points fd 1 at /dev/null, so that nothing written later, by Python's own exit, fails again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
