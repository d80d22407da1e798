"""file: plays a recording as if it were a receiver."""

from __future__ import annotations

import os
import select
from typing import Annotated

import numpy as np

from sptools.errors import BadData, IOFailure, NoInput, Usage
from sptools.units import Rate, Text, Time, Tuned, Within, format_scaled

from ._chunk import Chunk
from ._pace import Pacer
from ._recording import SIZES, Recording, Segment, check_exists, open_file, raw_type

LIVE_s = 0.02
FLAT_bytes = 1 << 18
WAIT_ms = 200  # a pipe that is silent so long gives an empty chunk, so that its reader can be stopped


def file(
    address: str,
    *,
    datatype: Text | None = None,
    rate: Rate | None = None,
    freq: Tuned | None = None,
    pace: Annotated[float, Within(0, 1000)] | None = None,
    loop: Text = "1",
    start: Time | None = None,
) -> Player:
    """Plays a recording: raw IQ, SigMF, or IQ in a WAV file of two channels.

    In real time, as from a receiver, unless pace=0: then as fast as its reader takes it, without loss. A pipe (`-`, or
    a FIFO) is read as its writer delivers. SigMF tells rate, frequency, retunes, gaps and time by itself. A recording
    that ends in the middle of a sample is played to its last whole one and then reported as damaged.

    Settings:
        datatype: of raw samples, where the name's suffix does not tell: cu8, ci8, ci16_le, cf32_le
        rate: sample rate of raw samples
        freq: centre frequency of raw samples
        pace: times real time; 0 flat out
        loop: play so many times; true for ever
        start: time of the first sample, where the recording does not tell
    Examples:
        sp-capture sim:tone,pace=0 --duration 100ms -o tone.cu8
        sp-capture cu8:tone.cu8,rate=2.4M,freq=100M,pace=0 | sp-cat --info
    """
    if not address:
        raise Usage("which recording? file:PATH")
    recording = examine(address, datatype)
    recorded = {s.freq for s in recording.segments} - {None}
    for name, wanted, known in (("rate", rate, {recording.rate} - {None}), ("freq", freq, recorded)):
        others = [value for value in known if value is not None and value != wanted]
        if wanted is not None and others:
            said = format_scaled(others[0])
            raise Usage(f"{address} was recorded with {name}={said}: it cannot be played with {format_scaled(wanted)}")
    rate = rate or recording.rate
    if rate is None:
        form = "" if datatype is None else datatype + ":"
        raise Usage(f"{address} does not tell its sample rate: write {form}{address},rate=2.4M, or -s 2.4M")
    return Player(recording, f"file:{address}", rate, freq, pace, times(loop), start)


def examine(path: str, datatype: str | None) -> Recording:
    """What lies at `path`. `datatype` may also be sigmf or wav; None goes by the suffix."""
    suffix = os.path.splitext(path)[1].lower()
    if datatype == "sigmf" or (datatype is None and suffix.startswith(".sigmf")):
        from ._sigmf import sigmf

        return sigmf(path)
    if datatype == "wav" or (datatype is None and suffix == ".wav"):
        from ._iqwav import iqwav

        return iqwav(path)
    check_exists(path)  # before anything is asked of the user
    return Recording(path, raw_type(path, datatype), None, [Segment(0, None)])


def times(loop: str) -> float:
    """How often to play."""
    if loop.lower() in ("true", "yes", "on"):
        return float("inf")
    if not loop.isdigit() or int(loop) == 0:
        raise Usage(f"loop={loop} is neither true nor a number of times from 1 on")
    return int(loop)


class Player:
    """The driver's interface over a recording."""

    schema = None
    clock = "none"

    def __init__(
        self, recording: Recording, device: str, rate: float, freq: float | None, pace: float | None, loop: float,
        start: int | None,
    ):  # fmt: skip
        self.recording, self.device, self.rate, self.given, self.start = recording, device, rate, freq, start
        self.handle, size = open_file(recording.path)
        self.pipe = size is None
        end = size if recording.end is None else recording.end
        if end is not None and end <= min((s.place for s in recording.segments), default=end):
            self.close()
            raise NoInput(f"{recording.path} holds no samples")
        if self.pipe and loop > 1:
            self.close()
            raise Usage(f"{recording.path} is a pipe: it can be played once only")
        self.end = end
        self.size = SIZES[recording.datatype]
        self.swap = np.dtype(">i2" if "i16" in recording.datatype else ">f4") if "_be" in recording.datatype else None
        self.datatype = recording.datatype.replace("_be", "_le")
        pace = (0.0 if self.pipe else 1.0) if pace is None else pace
        self.live = pace > 0
        self.pacer = Pacer(rate, pace or 1.0)
        self.piece = max(1, int(rate * LIVE_s)) if self.live else FLAT_bytes // self.size
        self.gain = float("nan")
        self.rounds = loop
        self.begin_round(0, 0)
        self.freq = self._freq()
        self.played = 0
        self.spare = b""  # the part of a sample that a pipe has delivered so far

    def begin_round(self, sample: int, time: int) -> None:
        """`sample`, `time`: how far all rounds before this one have counted."""
        self.before, self.elapsed = sample, time
        self.segment, self.inside = 0, 0

    def _freq(self) -> float:
        recorded = self.recording.segments[self.segment].freq
        return recorded if recorded is not None else self.given or 0.0

    def set(self, *, freq: float | None = None, gain: float | None = None) -> None:
        raise Usage(f"{self.device} is a recording: its frequency and gain are what they were")

    def read(self) -> Chunk | None:
        """The next samples; None at the end. BadData where the recording ends in the middle of a sample."""
        while not self.pacer.closed:
            segment = self.recording.segments[self.segment]
            place = segment.place + self.inside * self.size
            stop = segment.place + segment.length * self.size if segment.length is not None else self.end
            if stop is not None and self.end is not None:
                stop = min(stop, self.end)
            want = self.piece * self.size if stop is None else min(self.piece * self.size, stop - place)
            data = self._take(place, want) if want > 0 else np.empty(0, np.uint8)
            if data is None:
                return self._chunk(segment, np.empty(0, np.uint8))
            count = len(data) // self.size
            if count:
                if self.live:
                    self.pacer.due(self.played + count)
                chunk = self._chunk(segment, data[: count * self.size])
                self.inside += count
                self.played += count
                return chunk
            if len(data):
                left = f"its last {len(data)} byte(s) are left out"
                raise BadData(f"{self.recording.path} ends in the middle of a sample: {left}")
            if not self._next():
                if not self.played:
                    raise NoInput(f"{self.recording.path} holds no samples")
                return None
        return None

    def _next(self) -> bool:
        """The next segment, or the next round; False at the end of all."""
        first, last = self.recording.segments[0], self.recording.segments[self.segment]
        if self.segment + 1 < len(self.recording.segments):
            self.segment, self.inside = self.segment + 1, 0
            return True
        self.rounds -= 1
        if self.rounds < 1 or not self.played:
            return False
        sample = last.sample + self.inside - first.sample
        time = round(self.inside * 10**9 / self.rate)
        if first.time is not None and last.time is not None:
            time += last.time - first.time
        self.begin_round(self.before + sample, self.elapsed + time)
        return True

    def _chunk(self, segment: Segment, data: np.ndarray) -> Chunk:
        sample = self.before + segment.sample + self.inside
        time = None
        if segment.time is not None:
            time = self.elapsed + segment.time + round(self.inside * 10**9 / self.rate)
        elif self.start is not None:
            time = self.start + round((sample - self.recording.segments[0].sample) * 10**9 / self.rate)
        if self.swap is not None:
            data = data.view(self.swap).astype(self.swap.newbyteorder("<")).view(np.uint8)
        self.freq = self._freq()
        return Chunk(data, self.rate, self.freq, self.gain, 0, time, sample)

    def _take(self, place: int, want: int) -> np.ndarray | None:
        """Up to `want` bytes as a fresh uint8 array, fewer only at the end; None: a pipe is silent at the moment."""
        out = np.empty(want, np.uint8)
        view = out.data
        try:
            if not self.pipe:
                have = 0
                while have < want and (n := os.preadv(self.handle, [view[have:]], place + have)):
                    have += n
                return out[:have]
            have = len(self.spare)
            out[:have] = np.frombuffer(self.spare, np.uint8)
            waiting = select.poll()
            waiting.register(self.handle, select.POLLIN)
            if not waiting.poll(WAIT_ms):
                return None
            n = os.readv(self.handle, [view[have:]])
        except OSError as error:
            raise IOFailure(f"{self.recording.path}: {error.strerror or error}") from None
        have += n
        whole = have if n == 0 else have - have % self.size  # at the end the rest is handed over too, to be reported
        self.spare = out[whole:have].tobytes()
        return out[:whole] if whole or n == 0 else None

    def close(self) -> None:
        if hasattr(self, "pacer"):
            self.pacer.close()
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1
