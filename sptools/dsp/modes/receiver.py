"""The whole of Mode S reception as one kernel: components of IQ in, messages out.

Input is cut into chunks of a fixed number of samples; each becomes heights at 2 MS/s behind what the last chunk left (one
sample before and SPAN after the last place looked at), so a message across a border is seen exactly once and no
result depends on how the input was cut. Places are judged in order of time: what proves an address comes before what needs it.

State: input short of a chunk; the last heights; the end of the last message; the aircraft.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from sptools.dsp.kernel import Hit, Output

from . import crc, slicer
from .accept import chances, flipped, judge, looks, proves
from .aircraft import Traffic, locate
from .magnitude import FULL, RATE, check, front
from .message import decode
from .preamble import Preamble
from .slicer import BEFORE

PROTOCOL = "mode-s"
WAIT = slicer.SPAN  # heights that must follow a place before it is judged
SHORT_SPAN = slicer.DATA + 2 * crc.SHORT
# one candidate: place, format, remainder, level in dBFS, hexadecimal text; bits 8–31, 0–55 and 32–87 as integers
Reading = tuple[int, int, int, float, str, int, int, int]


def parity(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Formats, uint8 (n,), and remainders at the length that each format has, uint32 (n,). `packed`: uint8 (n, 14)."""
    formats = slicer.FLIP[packed[:, 0]] >> 3
    return formats, crc.remainders(packed, formats >= 16)


class Receiver:
    """Kernel: interleaved components of `datatype` → list[Hit]."""

    output = Output("Message")
    ratio = Fraction(0)
    delay = 0.0

    def __init__(self, rate: float, datatype: str, offset: float, chunk_s: float, settings: dict[str, Any]):
        self._rate = rate
        self._front = front(rate, datatype, offset)
        self._same = self._front.ratio == 1
        step = self._front.ratio.denominator  # inputs for a whole number of heights
        self._chunk = max(int(chunk_s * rate) // step, 1) * step
        self._dtype = {"cu8": np.uint8, "ci8": np.int8, "ci16_le": np.int16, "cf32_le": np.float32}[datatype]
        self._rest = np.empty(2 * self._chunk, self._dtype)
        self._silence = 127 if datatype == "cu8" else 0
        self._heights = np.empty(BEFORE + WAIT + int(self._chunk * self._front.ratio), np.uint16)
        self._windows = np.lib.stride_tricks.sliding_window_view(self._heights, BEFORE + slicer.SPAN)
        self._preamble = Preamble()
        self._settings: dict[str, Any] = {"repair": True, "aggressive": False, "latitude": None, "longitude": None}
        self.set(**settings)
        self.reset()

    def set(self, **settings: Any) -> None:
        """`offset`: Hz, wanted frequency less the middle of the input. All take effect at the chunk that is being filled."""
        offset = settings.pop("offset", None)
        if offset is not None:
            check(self._rate, offset)
            self._front.tune(offset)
        unknown = settings.keys() - self._settings.keys()
        if unknown:
            raise TypeError(f"adsb has no live setting {', '.join(sorted(unknown))}")
        self._settings.update(settings)
        at = self._settings["latitude"], self._settings["longitude"]
        self._home = None if None in at else at
        self._repair = (2 if self._settings["aggressive"] else 1) if self._settings["repair"] else 0

    def reset(self) -> None:
        self._held = 0  # components in _rest
        self._heights[:] = 0  # silence before the stream
        self._first = -WAIT  # number of the first height that the next chunk judges
        self._end = 0  # no message begins before this height
        self._traffic = Traffic()
        self._front.reset()

    def process(self, x: np.ndarray) -> list[Hit]:
        hits: list[Hit] = []
        size = len(self._rest)
        while len(x):
            n = min(size - self._held, len(x))
            if n == size and x.flags.c_contiguous:
                whole = x[:n]
            else:
                whole = self._rest
                whole[self._held : self._held + n] = x[:n]
                self._held += n
                if self._held < size:
                    break
                self._held = 0
            x = x[n:]
            hits += self._search(whole)
        return hits

    def flush(self) -> list[Hit]:
        """The rest, followed by silence; a message must lie wholly inside the input."""
        real = int(np.ceil((self._held // 2 + self._front.delay) * self._front.ratio)) + self._first + WAIT
        hits: list[Hit] = []
        while self._first < real:
            self._rest[self._held :] = self._silence
            self._held = 0
            hits += self._search(self._rest, real)
        return hits

    def _search(self, x: np.ndarray, real: int | None = None) -> list[Hit]:
        """One chunk: judges as many places as it has heights; the last WAIT wait. Heights from number `real` on are silence."""
        m, kept = self._heights, BEFORE + WAIT
        m[:kept] = m[-kept:]
        self._front.heights(x, m[kept:])
        count = len(m) - kept
        places = self._preamble.find(m[BEFORE:], count)
        hits = self._judge(places, self._first, real) if len(places) else []
        self._first += count
        self._traffic.expire(self._first / RATE)
        return hits

    def _judge(self, places: np.ndarray, first: int, last: int | None) -> list[Hit]:
        """`places`: first pulses, indices behind BEFORE in the heights, of which the first is number `first` of the stream."""
        window = self._windows[places]
        sums = slicer.sums(window)
        a, b = slicer.halves(window)
        seen = looks(sums, a, b, FULL)
        rows = np.flatnonzero(seen.fair)
        plain = slicer.plain(a, b)[rows]
        formats, remainders = parity(plain)
        doubt = np.flatnonzero(~proves(formats, remainders))  # these are read a second time
        again = rows[doubt]
        other = slicer.equalised(sums[:, again], a[again], b[again])
        packed = np.concatenate((plain, other))
        row = np.concatenate((rows, again))
        formats, remainders = (np.concatenate(both) for both in zip((formats, remainders), parity(other), strict=True))
        proved, maybe = chances(formats, remainders, seen.good[row], self._repair)
        settled = np.zeros(len(places), np.bool_)
        settled[row[proved]] = True
        maybe &= ~settled[row]
        chosen = np.flatnonzero(proved | maybe)
        chosen = chosen[np.argsort(row[chosen], kind="stable")]  # in order of time, the plain reading first
        row = row[chosen]
        return self._believe(
            zip(
                (places[row] + first).tolist(),
                formats[chosen].tolist(),
                remainders[chosen].tolist(),
                seen.level[row].tolist(),
                *slicer.numbers(packed[chosen]),
                strict=True,
            ),
            last,
        )

    def _believe(self, readings: Iterable[Reading], last: int | None) -> list[Hit]:
        """In order of time. `last`: heights from there on are none of ours (flush)."""
        hits: list[Hit] = []
        for place, df, remainder, level, text, icao, head, me in readings:
            if place < self._end:
                continue
            time = place / RATE
            belief = judge(df, remainder, icao, time, self._traffic)
            if belief is None:
                continue
            craft, valid, wrong, extra = belief
            end = place + (slicer.SPAN if df >= 16 else SHORT_SPAN)
            if last is not None and end > last:
                continue
            self._end = end
            if wrong:
                text = f"{flipped(int(text, 16), wrong, 0, 112):028X}"
                head, me = flipped(head, wrong, 0, 56), flipped(me, wrong, 32, 56)
            fields = decode(df, head, me, craft.icao)
            if extra:
                fields.update(extra)
            if "cpr_odd" in fields:
                locate(craft, fields, time, self._home)
            sample = place if self._same else self._sample(place)
            hits.append(Hit(sample, level, PROTOCOL, text if df >= 16 else text[:14], valid, fields))
        return hits

    def _sample(self, place: int) -> int:
        """Input sample of a height."""
        return max(round(place / self._front.ratio - self._front.delay), 0)
