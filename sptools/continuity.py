"""Is what comes next the continuation of what came? One place decides, for every tool (DESIGN: records and framing).

Same boot and the expected number: continuous, also over a rotation. Same boot and a later one: a gap. Another boot, or
an earlier number of the same boot: a new start. Inside a container the index `sample` tells.
"""

from __future__ import annotations

from sptools.record import IQ, Item, Message, Rows, Spectrum, Start


class Continuity:
    """Follows one channel. `see(item)` → (`"start"` | `"go"` | `"gap"`, samples or rows lost)."""

    def __init__(self) -> None:
        self.boot: bytes | None = None
        self.number = 0  # of the next block
        self.sample: int | None = None  # expected next
        self.fresh = False  # a new start was announced and no record has come yet
        self.freq: float | None = None
        self.retuned = False  # the last item's gap stands at a retune: what came meanwhile was left out, not lost

    def see(self, item: Item) -> tuple[str, int]:
        if isinstance(item, Start):
            return self._start(item)
        self.number += 1
        if isinstance(item, IQ):
            return self._samples(item)
        if isinstance(item, (Message, Spectrum, Rows)):
            verdict, self.fresh = ("start" if self.fresh else "go"), False
            return verdict, 0
        raise TypeError(type(item))

    def _start(self, start: Start) -> tuple[str, int]:
        same = self.boot is not None and start.boot == self.boot and bool(start.boot)
        expected, self.number = self.number, start.first
        if same and start.first >= expected:
            return ("gap", start.lost) if start.first > expected or start.lost else ("go", 0)
        self.boot, self.sample, self.fresh = start.boot, None, True
        return "start", start.lost

    def _samples(self, block: IQ) -> tuple[str, int]:
        expected, self.sample = self.sample, block.sample + block.count
        self.retuned, self.freq = self.freq not in (None, block.freq), block.freq
        if expected is None or self.fresh:
            self.fresh = False
            return "start", 0
        if block.sample == expected:
            return "go", 0
        if block.sample > expected:
            return "gap", block.sample - expected
        return "start", 0
