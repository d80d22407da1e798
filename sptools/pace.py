"""How fast something may go: bytes a second, or the time that the records themselves tell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from sptools.clock import span
from sptools.cut import time_of
from sptools.record import IQ, Item, Start
from sptools.transports._budget import Budget
from sptools.transports._stream import guard


class Paced:
    """An output that takes at most `rate` bytes a second."""

    def __init__(self, output: Any, rate: float):
        self.output, self.budget = output, Budget(rate)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.output, name)
        return self._block if name == "block" else found

    def write(self, *buffers: Any) -> None:
        self.output.write(*buffers)
        self._pay(buffers)

    def _block(self, number: int, rows: int, *buffers: Any) -> None:
        self.output.block(number, rows, *buffers)
        self._pay(buffers)

    def close(self, ok: bool = True) -> None:
        self.output.close(ok)

    def _pay(self, buffers: tuple) -> None:
        self.budget.spend(sum(b.nbytes if hasattr(b, "nbytes") else len(b) for b in buffers))
        if (seconds := self.budget.wait()) > 0:
            with guard():
                time.sleep(seconds)


class Realtime:
    """A step that lets records pass when their time has come, counted from the first of a boot."""

    def __init__(self) -> None:
        self.anchors: dict[tuple[str, bytes], int] = {}  # monotonic − record time, ns
        self.key: tuple[str, bytes] = ("", b"")

    def feed(self, item: Item) -> Iterator[Item]:
        if isinstance(item, Start):
            self.key = item.channel, item.boot
        elif (moment := time_of(item)) is not None:
            now = time.monotonic_ns()
            anchor = self.anchors.setdefault(self.key, now - moment)
            # a block is there when its last sample is
            due = anchor + moment + (span(item.count, item.rate) if isinstance(item, IQ) else 0)
            if due > now:
                with guard():
                    time.sleep((due - now) / 1e9)
        yield item

    def finish(self) -> Iterator[Item]:
        yield from ()
