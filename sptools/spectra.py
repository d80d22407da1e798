"""Runs the spectrum kernel over a stream of IQ blocks. No spectrum reaches over a gap, a retune or a new start."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sptools.clock import span
from sptools.continuity import Continuity
from sptools.dsp.spectrum import LARGEST, Average, Welch, hide_dc
from sptools.dsp.stitch import Strip, crop, stitch
from sptools.dsp.window import noise_bandwidth
from sptools.dsp.window import window as make_window
from sptools.errors import BadData, Usage
from sptools.record import IQ, Audio, Item, Spectrum, Start, components, is_complex
from sptools.schemas import built_in


class Spectra:
    """`feed(item)` and `finish()` give the items of the output channel. The settings are those of sp-psd."""

    def __init__(
        self, channel: str, source: dict, *, bins: int = 1024, rbw: float | None = None, interval: float = 1.0,
        window: str = "hann", detector: str = "mean", overlap: float = 0.0, crop: float = 0.0, dc: str = "keep",
        stitch: bool = False,
    ):  # fmt: skip
        self.channel, self.source = channel, source
        self.bins, self.rbw, self.interval, self.window = bins, rbw, interval, window
        self.detector, self.overlap, self.crop, self.dc = detector, overlap, crop, dc
        self.strips: list[tuple[Strip, Spectrum]] | None = [] if stitch else None
        self.follow = Continuity()
        self.kernel: Welch | None = None
        self.base = 0  # the input's sample at the kernel's sample 0
        self.last: IQ | None = None  # the newest block: time is counted from it
        self.kind: tuple = ()

    def feed(self, item: Item) -> Iterator[Item]:
        verdict = self.follow.see(item)[0] if isinstance(item, (Start, IQ)) else "go"
        if isinstance(item, Start):
            return
        if not isinstance(item, IQ) or isinstance(item, Audio) or not is_complex(item.datatype) or item.channels != 1:
            raise BadData(f"{self.channel}: takes one receiver's IQ, this stream holds {type(item).__name__}")
        kind = (item.rate, item.datatype)
        if verdict == "start" or self.kernel is None:
            yield from self.finish()
            yield Start(built_in("Spectrum"), self.channel, os.urandom(8), 0, 0, self.source)
        if verdict != "go" or self.last is None or kind != self.kind or item.freq != self.last.freq:
            yield from self._flush()
            if self.kernel is None or kind != self.kind:
                self.kernel, self.kind = self._build(item), kind
            self.kernel.reset()
            self.base = item.sample
        self.last = item
        assert self.kernel is not None
        yield from self._records(self.kernel.process(components(item)))

    def finish(self) -> Iterator[Item]:
        yield from self._flush()
        if self.strips:
            yield self._joined()
        self.kernel = self.last = None

    def _flush(self) -> Iterator[Item]:
        if self.kernel is not None and self.last is not None:
            yield from self._records(self.kernel.flush())

    def _build(self, block: IQ) -> Welch:
        nfft = self.bins
        if self.rbw is not None:
            nfft = 8
            while noise_bandwidth(make_window(self.window, nfft)) * block.rate / nfft > self.rbw:
                nfft *= 2
                if nfft > LARGEST:
                    raise Usage(f"--rbw {self.rbw:g}: finer than {LARGEST} bins of {block.rate:g} samples/s can give")
        interval = max(nfft, round(self.interval * block.rate))
        return Welch(block.rate, block.datatype, nfft, self.window, self.detector, self.overlap, interval)

    def _records(self, averages: list[Average]) -> Iterator[Item]:
        block, kernel = self.last, self.kernel
        assert block is not None and kernel is not None
        for average in averages:
            power = hide_dc(average.power, kernel.lobe) if self.dc == "interpolate" else average.power
            strip = crop(Strip(block.freq, block.rate, power), self.crop)
            sample = self.base + average.sample
            record = Spectrum(
                time=block.time + span(sample - block.sample, block.rate), sample=sample, rate=block.rate,
                freq=strip.freq, gain=block.gain, span=strip.span, rbw=kernel.rbw, averages=average.averages,
                window=self.window, detector=self.detector, data=strip.power, time_error=block.time_error, clock=block.clock,
            )  # fmt: skip
            if self.strips is None:
                yield record
                continue
            if any(abs(old.freq - strip.freq) < strip.step / 2 for old, _ in self.strips):
                yield self._joined()
            self.strips.append((strip, record))

    def _joined(self) -> Spectrum:
        """One round of a sweep as one spectrum, with the time of its first strip."""
        assert self.strips
        whole = stitch([strip for strip, _ in self.strips])
        record = self.strips[0][1]
        record.freq, record.span, record.data = whole.freq, whole.span, whole.power
        record.averages = min(r.averages for _, r in self.strips)
        self.strips = []
        return record
