"""The numbers of one channel's frames: what is missing, repeated or late.

A frame that overtook others waits for them, 50 ms or 64 frames at most; then what is still missing is lost. What comes
even later is late: it is counted, and not delivered, for it could only be put in the wrong place.
"""

from __future__ import annotations

from collections import deque
from typing import Any

WINDOW = 64  # frames
HOLD_s = 0.05
JUMP = 1 << 32  # no loss is that long: the sender has begun anew
AGAIN = 4  # frames in a row, all numbered lower than before, that show that the sender has begun anew
RESTART = -1

Event = tuple[int, Any]  # (frames lost before, or RESTART; frame or None)


class Flow:
    """Follows one channel and boot. `notes` counts; `deadline` is when `release` has something to do (monotonic, s)."""

    def __init__(self, first: int, notes: dict[str, int]):
        self.expected = first
        self.notes = notes
        self.deadline: float | None = None
        self._held: dict[int, tuple[float, Any]] = {}
        self._promised = (first, 0.0)  # a number that the sender has reached, and when it said so
        self._missing: deque[int] = deque(maxlen=WINDOW)
        self._back: list[tuple[int, Any]] = []  # frames that may be the first of a new beginning
        self._begins: int | None = None  # the number with which the sender said that it begins

    def take(self, seq: int, frame: Any, now: float) -> list[Event]:
        """A frame has come; gives what can be delivered, in order."""
        step = seq - self.expected
        if step >= 0 and self._back:
            self._stragglers()
        if step == 0:
            self.expected = seq + 1
            if not self._held:
                return [(0, frame)]
            return [(0, frame), *self.release(now)]
        if step < 0:
            return self._old(seq, frame, now)
        if step >= JUMP:
            return self._restart([(seq, frame)], now)
        if seq in self._held:
            self._count("repeated")
            return []
        self._held[seq] = (now, frame)
        return self.release(now)

    def reached(self, first: int, now: float) -> list[Event]:
        """The sender says that its next frame has the number `first`."""
        if max(self.expected, self._promised[0]) < first < self.expected + JUMP:
            self._promised = (first, now)
        self._begins = first if first < self.expected - WINDOW else None
        return self.release(now)

    def release(self, now: float, *, end: bool = False) -> list[Event]:
        """What need not wait any longer; at the `end`, everything."""
        out: list[Event] = []
        held = self._held
        if end and self._back:
            self._stragglers()
        while True:
            while self.expected in held:
                out.append((0, held.pop(self.expected)[1]))
                self.expected += 1
            number, since = self._promised
            if held:
                lowest = min(held)
                if number <= self.expected or held[lowest][0] < since or lowest < number:
                    number, since = lowest, held[lowest][0]
            if number <= self.expected:
                self.deadline = None
                return out
            full = len(held) >= WINDOW or (held and max(held) - self.expected >= WINDOW)
            if not (end or full or now - since >= HOLD_s):
                self.deadline = since + HOLD_s
                return out
            lost = number - self.expected
            self._count("lost_frames", lost)
            self._missing.extend(range(max(self.expected, number - WINDOW), number))
            self.expected = number
            out.append((lost, None))

    def _old(self, seq: int, frame: Any, now: float) -> list[Event]:
        """A number that was passed already: late, a repeat, or a sender that went back."""
        if seq >= self.expected - WINDOW:
            if seq in self._missing:
                self._missing.remove(seq)
                self._count("late")
            else:
                self._count("repeated")
            return []
        if self._back and seq != self._back[-1][0] + 1:
            self._stragglers()
        self._back.append((seq, frame))
        if seq == self._begins or len(self._back) >= AGAIN:
            back, self._back = self._back, []
            return self._restart(back, now)
        return []

    def _restart(self, frames: list[tuple[int, Any]], now: float) -> list[Event]:
        """The sender begins anew with these frames."""
        out = self.release(now, end=True)
        first = frames[0][0]
        self.expected, self._promised, self._begins = first + len(frames), (first, now), None
        self._missing.clear()
        return [*out, (RESTART, first), *((0, frame) for _, frame in frames)]

    def _stragglers(self) -> None:
        self._count("late", len(self._back))
        self._back = []

    def _count(self, name: str, n: int = 1) -> None:
        self.notes[name] = self.notes.get(name, 0) + n
