"""A simulated receiver: delivers what a source makes, at its pace, with the faults that were ordered."""

import time
from typing import Any, Protocol

from sptools.drivers._chunk import Chunk
from sptools.drivers._pace import Pacer
from sptools.errors import Unavailable, Usage

LIVE_s = 0.02  # longest chunk of a paced receiver


class Source(Protocol):
    """A band with its emitters, or telemetry."""

    rate: float
    freq: float
    gain: float
    datatype: str
    schema: dict | None
    start: int  # ns UTC of sample 0, for rows that carry it

    def tune(self, freq: float, gain: float) -> None:
        """Takes effect with the next samples taken."""

    def chunk(self, live: bool) -> int:
        """Samples that a read should give."""

    def take(self, start: int, stop: int) -> Any:
        """Samples [start, stop), a function of these two and the tuning."""


class Faults:
    """`lose` samples go missing every `every` s; after `stall` s nothing comes; after `die` s the device is gone."""

    def __init__(self, rate: float, lose: int, every: float, stall: float | None, die: float | None, timeout: float):
        self.lose, self.every = lose, round(every * rate)
        if lose and lose >= self.every:
            raise Usage(f"lose={lose} samples every {every:g} s leaves nothing: lose fewer than {self.every}")
        self.stall = None if stall is None else round(stall * rate)
        self.die = None if die is None else round(die * rate)
        self.timeout = timeout

    def skip(self, at: int) -> int:
        """Samples that are lost at sample `at`."""
        return self.lose if self.lose and at and at % self.every == 0 else 0

    def until(self, at: int, stop: int) -> int:
        """Where a chunk from `at` to `stop` must be cut."""
        if self.lose:
            stop = min(stop, (at // self.every + 1) * self.every)
        for end in (self.stall, self.die):
            if end is not None and end > at:
                stop = min(stop, end)
        return stop


class Receiver:
    """The driver's interface over a source. `start` (ns UTC): time of sample 0; None: now."""

    def __init__(self, source: Source, device: str, pace: float, start: int | None, faults: Faults):
        self.source, self.device, self.faults = source, device, faults
        self.live = pace > 0
        self.rate, self.freq, self.gain = source.rate, source.freq, source.gain
        self.datatype, self.schema = source.datatype, source.schema
        if start is None and (not self.live or source.schema is not None):
            start = time.time_ns()
        self.start = start
        source.start = start or 0
        self.clock = "none" if self.start is None else "sim"
        self.pacer = Pacer(self.rate, pace if self.live else 1.0)
        self.size = source.chunk(self.live)
        if self.live:
            self.size = max(1, min(self.size, int(self.rate * LIVE_s)))
        self.at = 0
        self.wanted = self.tuned = (self.freq, self.gain)

    def set(self, *, freq: float | None = None, gain: float | None = None) -> None:
        """Retunes; the next chunk read is the first one from there."""
        if self.schema is not None:
            raise Usage(f"{self.device} is telemetry: it has neither freq nor gain")
        self.freq = self.freq if freq is None else freq
        self.gain = self.gain if gain is None else gain
        self.wanted = (self.freq, self.gain)  # one assignment: another thread may be reading

    def read(self) -> Chunk | None:
        """The next samples; None once closed. Unavailable when the device stalls or dies."""
        if self.wanted is not self.tuned:
            self.tuned = self.wanted
            self.source.tune(*self.tuned)
        faults = self.faults
        if faults.die is not None and self.at >= faults.die:
            raise Unavailable(f"{self.device}: the device is gone")
        if faults.stall is not None and self.at >= faults.stall:
            self.pacer.nap(faults.timeout)
            if self.pacer.closed:
                return None
            raise Unavailable(f"{self.device}: no samples for {faults.timeout:g} s")
        lost = faults.skip(self.at)
        first = self.at + lost
        stop = faults.until(first, first + self.size)
        if self.live:
            self.pacer.due(stop)
        if self.pacer.closed:
            return None
        data = self.source.take(first, stop)
        self.at = stop
        moment = None if self.start is None else self.start + first * 10**9 // self._whole_rate()
        return Chunk(data, self.rate, self.source.freq, self.source.gain, lost, moment)

    def _whole_rate(self) -> Any:
        return int(self.rate) if self.rate == int(self.rate) else self.rate

    def close(self) -> None:
        self.pacer.close()
