"""Runs a demodulator over a stream of IQ blocks, and carries exact time and sample numbers through it.

Builds the kernel from the first block, resets it on a gap, builds it anew on another rate or datatype. After a reset the
next output's `sample` is ceil(input sample · ratio), and at least one more than expected, so that no gap vanishes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from sptools import limits
from sptools.clock import SECOND
from sptools.continuity import Continuity
from sptools.dsp.kernel import Demodulator, Hit
from sptools.errors import BadData, OutsideBand, Usage
from sptools.record import IQ, Audio, Item, Message, Start, components, is_complex, sample_size

FILL_s = 60.0  # a longer gap stays a gap, also with fill=zero


class Stage:
    """One demodulator on one frequency. `feed(item)` and `finish()` give the output channel's items.

    `make(rate, datatype, offset)` builds the kernel. `freq` is the wanted absolute frequency, None: what the source was
    tuned for. `schema(name)` gives the output record's schema, `source` what stands in the output's header.
    """

    def __init__(
        self,
        make: Callable[[float, str, float], Demodulator],
        *,
        channel: str,
        schema: Callable[[str], dict],
        source: dict,
        freq: float | None = None,
        fill: bool = False,
    ):
        self.make, self.channel, self.schema, self.source = make, channel, schema, source
        self.freq, self.fill = freq, fill
        self.kernel: Demodulator | None = None
        self.follow = Continuity()
        self.tuned: float | None = None  # what the source says that it was tuned for
        self.kind: tuple = ()  # of the input: rate, datatype
        self.last: IQ | None = None  # the newest input block, to count time from
        self.base_in = self.base_out = 0  # input and output sample at the kernel's reset
        self.made = 0  # outputs since then
        self.number = 0  # blocks put into this channel and boot
        self.gaps = self.lost = self.starts = 0

    # ------------------------------------------------------------ input
    def feed(self, item: Item) -> Iterator[Item]:
        if isinstance(item, Start):
            self.tuned = item.source.get("freq")
            verdict, lost = self.follow.see(item)
            if verdict == "gap":
                self.lost += lost
            return
        if not isinstance(item, IQ) or isinstance(item, Audio) or not is_complex(item.datatype):
            held = type(item).__name__
            hint = "; a WAV file of IQ is one with iq=true: x.wav,iq=true" if held == "Audio" else ""
            raise BadData(f"{self.channel}: takes IQ, this stream holds {held}: put sp-capture or an IQ file before it{hint}")
        if item.channels != 1:
            raise BadData(f"{self.channel}: takes one receiver's IQ, these blocks hold {item.channels} interleaved")
        if item.rate > limits.DEMOD_RATE:
            raise BadData(f"{self.channel}: the input has {item.rate:g} samples/s, at most {limits.DEMOD_RATE:g} are demodulated")
        try:
            yield from self._prepare(item)
        except Usage as error:
            if self.last is None:
                raise
            # the command line was right until the input changed: a supervisor should start us again
            raise BadData(f"{self.channel}: the input changed at sample {item.sample}: {error}") from error
        self.last = item
        assert self.kernel is not None
        yield from self._out(self.kernel.process(components(item)))

    def _prepare(self, block: IQ) -> Iterator[Item]:
        """Makes the kernel fit for the next block: built, reset, tuned."""
        verdict, lost = self.follow.see(block)
        if verdict == "start" or self.kernel is None:
            yield from self._begin(block)
        elif verdict == "gap":
            self.gaps += 1
            self.lost += lost
            yield from self._drain()
            yield from self._restart(block)
        if self.kind != (block.rate, block.datatype):
            yield from self._rebuild(block)
        elif self.last is not None and block.freq != self.last.freq:
            self._tune(block)

    def finish(self) -> Iterator[Item]:
        """What the kernel still holds."""
        if self.kernel is not None:
            yield from self._drain()
            self.kernel = None

    # ------------------------------------------------------------ live settings
    def set(self, **settings: object) -> None:
        """Changes `freq` or a live setting of the demodulator between two blocks. A refused value changes nothing."""
        if "freq" in settings:
            before, self.freq = self.freq, settings.pop("freq")  # type: ignore[assignment]
            try:
                if self.last is not None:
                    self._tune(self.last)
            except Exception:
                self.freq = before
                raise
        if settings and self.kernel is not None:
            self.kernel.set(**settings)

    # ------------------------------------------------------------ kernel
    def wanted(self, block: IQ) -> float:
        """Absolute frequency that this stage listens to. Hz"""
        if self.freq is not None:
            return self.freq
        if self.tuned is not None and abs(self.tuned - block.freq) < block.rate / 2:
            return self.tuned
        return block.freq

    def _offset(self, block: IQ) -> float:
        offset = self.wanted(block) - block.freq
        if abs(offset) > block.rate / 2:
            half = block.rate / 2
            raise OutsideBand(freq=self.wanted(block), low=block.freq - half, high=block.freq + half)
        return offset

    def _tune(self, block: IQ) -> None:
        assert self.kernel is not None
        self.kernel.set(offset=self._offset(block))

    def _begin(self, block: IQ) -> Iterator[Item]:
        """A new start: nothing is carried over, the output starts anew too."""
        yield from self.finish()
        self.starts += 1
        self.kind = (block.rate, block.datatype)
        self.kernel = self.make(block.rate, block.datatype, self._offset(block))
        self.base_in, self.base_out, self.made, self.number = block.sample, self._index(block.sample), 0, 0
        boot = os.urandom(8)
        yield Start(self.schema(self.kernel.output.record), self.channel, boot, 0, 0, self.source | {"channel": self.channel})

    def _rebuild(self, block: IQ) -> Iterator[Item]:
        """Another rate or datatype: the kernel is built anew. Another output rate makes a new start."""
        assert self.kernel is not None
        yield from self._drain()
        old = self.kernel.output
        self.kernel = self.make(block.rate, block.datatype, self._offset(block))
        self.kind = (block.rate, block.datatype)
        if self.kernel.output != old:
            yield from self._begin(block)
        else:
            self.base_in, self.base_out, self.made = block.sample, self.base_out + self.made, 0

    def _restart(self, block: IQ) -> Iterator[Item]:
        """After a gap: everything that the kernel carried is void."""
        assert self.kernel is not None
        self.kernel.reset()
        expected = self.base_out + self.made
        self.base_in, self.base_out, self.made = block.sample, max(self._index(block.sample), expected + 1), 0
        if self.fill and self.kernel.output.record != "Message" and self.last is not None:
            yield from self._zeros(expected, self.base_out)

    def _index(self, sample: int) -> int:
        assert self.kernel is not None
        return -((-sample * self.kernel.ratio.numerator) // self.kernel.ratio.denominator) if self.kernel.ratio else 0

    def _drain(self) -> Iterator[Item]:
        assert self.kernel is not None
        yield from self._out(self.kernel.flush())

    # ------------------------------------------------------------ output
    def _time(self, position: float | Fraction) -> int:
        """ns UTC of the input at `position` samples after `base_in`."""
        assert self.last is not None
        return self.last.time + round(float(position + (self.base_in - self.last.sample)) * SECOND / self.last.rate)

    def _out(self, y: np.ndarray | list[Hit]) -> Iterator[Item]:
        if not len(y):
            return
        assert self.kernel is not None and self.last is not None
        if isinstance(y, list):
            yield from self._messages(y)
            return
        self.number += 1
        yield self._block(np.array(y))  # the kernel may reuse its array

    def _messages(self, hits: list[Hit]) -> Iterator[Message]:
        """Dense traffic has thousands a second: what a block's messages share is worked out once."""
        b = self.last
        assert b is not None
        freq, base, ns = self.wanted(b), self.base_in, SECOND / b.rate
        start, first, error, clock = b.time, base - b.sample, b.time_error, b.clock
        for at, level, protocol, raw, valid, fields in hits:
            self.number += 1
            time = start + round((first + at) * ns)
            yield Message(time, base + at, freq, level, protocol, raw, valid, fields, error, clock)

    def _block(self, y: np.ndarray) -> IQ:
        kernel = self.kernel
        assert kernel is not None
        first, position = self.base_out + self.made, self.made / kernel.ratio - Fraction(kernel.delay)
        self.made += y.nbytes // (sample_size(kernel.output.datatype) * kernel.output.channels)
        return self._record(y, first, position)

    def _record(self, y: np.ndarray, first: int, position: Fraction) -> IQ:
        b, kernel = self.last, self.kernel
        assert b is not None and kernel is not None
        out = kernel.output
        return (IQ if out.record == "IQ" else Audio)(
            time=self._time(position), sample=first, rate=out.rate, freq=self.wanted(b), gain=b.gain, datatype=out.datatype,
            data=y.reshape(-1).view(np.uint8), channels=out.channels, time_error=b.time_error, clock=b.clock,
        )  # fmt: skip

    def _zeros(self, first: int, last: int) -> Iterator[Item]:
        """Fills samples `first` up to `last` of the output with zeros, in blocks of at most a second."""
        assert self.kernel is not None
        out = self.kernel.output
        if last - first > FILL_s * out.rate:
            return
        size, second = sample_size(out.datatype) * out.channels, int(out.rate)
        for at in range(first, last, second):
            self.number += 1
            y = np.zeros(min(second, last - at) * size, np.uint8)
            yield self._record(y, at, (at - self.base_out) / self.kernel.ratio)
