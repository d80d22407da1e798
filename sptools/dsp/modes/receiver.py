"""The whole of Mode S reception as one kernel: components of IQ in, messages out.

Input is cut into chunks of a fixed number of samples; each becomes heights at 2 MS/s behind what the last chunk left (one
sample before and SPAN after the last place looked at), so a message across a border is seen exactly once and no
result depends on how the input was cut. Places are judged in order of time: what proves an address comes before what needs it.

State: input short of a chunk; the last 241 heights; the end of the last message; the aircraft.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from sptools.dsp.kernel import Hit, Output

from . import crc, slicer
from .accept import FORMATS, judge, looks
from .aircraft import Traffic, locate
from .magnitude import FULL, RATE, front
from .message import decode
from .preamble import Preamble

PROTOCOL = "mode-s"
BEFORE = 1  # the sample ahead of the first pulse shows an early leak
WAIT = slicer.SPAN  # heights that must follow a place before it is judged

_FORMAT = np.zeros(256, np.bool_)
for _byte in range(256):  # by the packed first byte: the format is its five lowest bits, the first of them lowest
    _df = int(slicer.FLIP[_byte]) >> 3
    _FORMAT[_byte] = _df in FORMATS or 24 <= _df < 28


class Receiver:
    """Kernel: interleaved components of `datatype` → list[Hit]."""

    output = Output("Message")
    ratio = Fraction(0)
    delay = 0.0

    def __init__(self, rate: float, datatype: str, offset: float, chunk_s: float, settings: dict):
        self._front = front(rate, datatype, offset)
        step = self._front.ratio.denominator  # inputs for a whole number of heights
        self._chunk = max(int(chunk_s * rate) // step, 1) * step
        self._dtype = {"cu8": np.uint8, "ci8": np.int8, "ci16_le": np.int16, "cf32_le": np.float32}[datatype]
        self._rest = np.empty(2 * self._chunk, self._dtype)
        self._middle = 127.5 if datatype == "cu8" else 0
        self._preamble = Preamble()
        self._settings = {"repair": True, "aggressive": False, "latitude": None, "longitude": None}
        self.set(**settings)
        self.reset()

    def set(self, **settings: object) -> None:
        unknown = settings.keys() - self._settings.keys()
        if unknown:
            raise TypeError(f"adsb has no live setting {', '.join(sorted(unknown))}")
        self._settings.update(settings)
        at = self._settings["latitude"], self._settings["longitude"]
        self._home = None if None in at else at
        self._repair = (2 if self._settings["aggressive"] else 1) if self._settings["repair"] else 0

    def reset(self) -> None:
        self._held = 0  # components in _rest
        self._heights = np.zeros(BEFORE, np.uint16)  # not yet looked at, behind one that was
        self._at = -BEFORE  # number of the first of them
        self._end = 0  # no message begins before this height
        self._traffic = Traffic()
        self._front.reset()

    def process(self, x: np.ndarray) -> list[Hit]:
        hits: list[Hit] = []
        size = len(self._rest)
        while len(x):
            if not self._held and len(x) >= size:
                hits += self._take(x[:size], WAIT)
                x = x[size:]
                continue
            n = min(size - self._held, len(x))
            self._rest[self._held : self._held + n] = x[:n]
            self._held, x = self._held + n, x[n:]
            if self._held == size:
                self._held = 0
                hits += self._take(self._rest, WAIT)
        return hits

    def flush(self) -> list[Hit]:
        """The rest, followed by silence; a message must lie wholly inside the input."""
        step, delay = self._front.ratio.denominator, self._front.delay
        n = self._held // 2
        total = int(n + delay)
        padded = np.full(2 * (-(-total // step) * step), self._middle, self._rest.dtype)
        padded[: self._held] = self._rest[: self._held]
        self._held = 0
        heights = self._front.heights(padded)[: int(np.ceil(total * self._front.ratio))]
        return self._search(np.concatenate((heights, np.zeros(WAIT, np.uint16))), WAIT, end=len(heights))

    def _take(self, x: np.ndarray, wait: int) -> list[Hit]:
        return self._search(self._front.heights(np.ascontiguousarray(x)), wait)

    def _search(self, heights: np.ndarray, wait: int, end: int | None = None) -> list[Hit]:
        """Judges every place that has `wait` heights behind it. `end`: how many of the new ones are real, at the last call."""
        m = np.concatenate((self._heights, heights))
        count = len(m) - BEFORE - wait
        if count <= 0:
            self._heights = m
            return []
        first = self._at + BEFORE
        last = None if end is None else self._at + len(self._heights) + end
        places = self._preamble.find(m[BEFORE:], count)
        hits = self._judge(m, places, first, last) if len(places) else []
        self._heights = m[count:].copy()
        self._at += count
        self._traffic.expire(self._at / RATE)
        return hits

    def _judge(self, m: np.ndarray, places: np.ndarray, first: int, last: int | None) -> list[Hit]:
        """`places`: indices of first pulses, behind BEFORE in `m`; the first of them would be height `first` of the stream."""
        window = np.lib.stride_tricks.sliding_window_view(m, BEFORE + slicer.SPAN)[places]
        before, window = window[:, 0], window[:, BEFORE:]
        plain = slicer.plain(window)
        seen = looks(window, FULL)
        rows = np.flatnonzero(seen.fair)
        # both readings of a place lie next to one another: plain first
        packed = np.empty((len(rows), 2, 14), np.uint8)
        packed[:, 0] = plain[rows]
        packed[:, 1] = slicer.equalised(window[rows], before[rows])
        packed = packed.reshape(-1, 14)
        keep = np.flatnonzero(_FORMAT[packed[:, 0]])
        packed = packed[keep]
        raws = slicer.FLIP[packed]
        formats = raws[:, 0] >> 3
        remainders = np.where(formats >= 16, crc.remainders(packed, crc.LONG), crc.remainders(packed, crc.SHORT))
        row = rows[keep >> 1]
        return self._believe(
            (places[row] + first).tolist(), formats.tolist(), remainders.tolist(), raws.tobytes(), row, seen, last
        )

    def _believe(self, at, formats, remainders, raws, row, seen, last) -> list[Hit]:
        hits: list[Hit] = []
        good, levels = seen.good[row].tolist(), seen.level[row].tolist()
        for i, place in enumerate(at):
            if place < self._end:
                continue
            df, remainder = formats[i], remainders[i]
            time = place / RATE
            if remainder and i + 1 < len(at) and at[i + 1] == place and not remainders[i + 1] and formats[i + 1] in (11, 17, 18):
                continue  # the other reading of this place is proved
            belief = judge(raws[14 * i : 14 * i + 14], df, remainder, good[i], time, self._traffic, self._repair)
            if belief is None:
                continue
            end = place + slicer.DATA + 2 * belief.bits
            if last is not None and end > last:
                continue
            self._end = end
            fields = decode(belief.df, belief.raw, belief.icao)
            if belief.df == 11:
                fields["interrogator"] = belief.interrogator
            elif belief.repaired:
                fields["repaired_bits"] = belief.repaired
            if "cpr_odd" in fields and belief.craft is not None:
                locate(belief.craft, fields, time, self._home)
            raw = f"{belief.raw:0{belief.bits // 4}X}"
            hits.append(Hit(self._sample(place), levels[i], PROTOCOL, raw, belief.valid, fields))
        return hits

    def _sample(self, place: int) -> int:
        """Input sample of a height."""
        if self._front.ratio == 1:
            return place
        return max(round(place / self._front.ratio - self._front.delay), 0)
