"""What `sp-cat --info` and `--gaps` say of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from sptools import instant, units
from sptools.clock import span
from sptools.continuity import Continuity
from sptools.cut import time_of
from sptools.record import IQ, Item, Message, Rows, Spectrum, Start, nbytes


@dataclass
class Facts:
    """One channel, as far as it was read. Times in ns UTC."""

    channel: str
    record: str
    codec: str
    source: dict
    fields: list[str] = field(default_factory=list)
    follow: Continuity = field(default_factory=Continuity)
    starts: int = 0
    blocks: int = 0
    count: int = 0  # samples, records or rows
    nbytes: int = 0
    gaps: int = 0
    lost: int = 0
    skipped: int = 0  # while the receiver was retuned
    first: int | None = None
    last: int | None = None
    rates: set[float] = field(default_factory=set)
    freqs: set[float] = field(default_factory=set)
    datatypes: set[str] = field(default_factory=set)
    clocks: set[str] = field(default_factory=set)

    def see(self, item: Item) -> tuple[int, int] | None:
        """Takes an item in; (expected sample, lost) if it shows a gap."""
        expected = self.follow.sample
        verdict, lost = self.follow.see(item)
        self.starts += verdict == "start" and isinstance(item, Start)
        if verdict == "gap" and self.follow.retuned:
            self.skipped += lost
        elif verdict == "gap":
            self.gaps += 1
            self.lost += lost
        if not isinstance(item, Start):
            self._record(item)
        return (expected or 0, lost) if verdict == "gap" else None

    def _record(self, item: Item) -> None:
        assert not isinstance(item, Start)
        self.blocks += 1
        self.count += item.count if isinstance(item, (IQ, Rows)) else 1
        time = time_of(item)
        if time is not None:
            end = time + (span(item.count, item.rate) if isinstance(item, IQ) else 0)
            if isinstance(item, Rows):
                end = item.values[-1].get("time", time)
            self.first = time if self.first is None else min(self.first, time)
            self.last = end if self.last is None else max(self.last, end)
        if isinstance(item, (IQ, Spectrum)):
            self.rates.add(item.rate)
            self.datatypes.add(item.datatype)
            self.nbytes += nbytes(item.data)
        if isinstance(item, (IQ, Spectrum, Message)):
            self.freqs.add(item.freq)
            self.clocks.add(item.clock)

    def as_dict(self) -> dict:
        duration = (self.last - self.first) / 1e9 if self.first is not None and self.last is not None else None
        facts = {
            "channel": self.channel, "record": self.record, "codec": self.codec, "starts": self.starts,
            "blocks": self.blocks, "count": self.count, "bytes": self.nbytes,
            "first": None if self.first is None else instant.format(self.first),
            "last": None if self.last is None else instant.format(self.last), "duration_s": duration,
            "rate": sorted(self.rates), "freq": sorted(self.freqs), "datatype": sorted(self.datatypes),
            "clock": sorted(self.clocks), "fields": self.fields, "gaps": self.gaps, "lost": self.lost,
            "skipped": self.skipped or None,
            "source": self.source,
        }  # fmt: skip
        return {k: v for k, v in facts.items() if v not in (None, [], {}, "")}

    def lines(self) -> Iterator[str]:
        what = {"IQ": "samples", "Audio": "samples", "Spectrum": "spectra", "Message": "messages"}.get(self.record, "rows")
        yield f"channel  {self.channel or '(unnamed)'}"
        yield f"record   {self.record}" + (f" {' '.join(sorted(self.datatypes))}" if self.datatypes else "")
        if self.fields:
            yield f"fields   {' '.join(self.fields)}"
        if self.source.get("device"):
            yield f"device   {self.source['device']}"
        if self.rates:
            yield "rate     " + " ".join(f"{units.format_scaled(r)}S/s" for r in sorted(self.rates))
        if self.freqs - {0.0}:
            yield "freq     " + some([f"{units.format_scaled(f)}Hz" for f in sorted(self.freqs)])
        if self.first is not None and self.last is not None:
            yield f"time     {instant.format(self.first)} to {instant.format(self.last)}"
        length = f", {(self.last - self.first) / 1e9:.6g} s" if self.first is not None and self.last is not None else ""
        yield f"holds    {self.count:,} {what} in {self.blocks:,} blocks{length}"
        if self.clocks:
            yield f"clock    {' '.join(sorted(self.clocks))}"
        yield f"starts   {self.starts}"
        yield f"lost     {self.lost:,} in {self.gaps} gaps" if self.gaps else "lost     0"
        if self.skipped:
            yield f"skipped  {self.skipped:,} while retuning"


def some(words: list[str]) -> str:
    return " ".join(words) if len(words) <= 8 else f"{words[0]} to {words[-1]} ({len(words)})"


class Report:
    """A step that turns items into lines: of each gap as it comes (`gaps`), of each channel at the end (`info`)."""

    def __init__(self, *, info: bool, gaps: bool, as_json: bool):
        self.info, self.gaps, self.json = info, gaps, as_json
        self.channels: dict[tuple[str, str], Facts] = {}
        self.now: Facts | None = None

    def feed(self, item: Item) -> Iterator[str]:
        if isinstance(item, Start):
            fields = [] if item.name in ("IQ", "Audio", "Spectrum", "Message") else field_names(item.schema)
            key = (item.channel, item.name)
            self.now = self.channels.setdefault(key, Facts(item.channel, item.name, item.codec, item.source, fields))
        assert self.now is not None
        seen = self.now.see(item)
        if seen and self.gaps:
            yield self._gap(self.now, item, *seen)

    def _gap(self, facts: Facts, item: Item, sample: int, lost: int) -> str:
        time = None if isinstance(item, Start) else time_of(item)
        when = None if time is None else instant.format(time)
        if self.json:
            what = "skipped" if facts.follow.retuned else "lost"
            gap = {"channel": facts.channel, "sample": sample, what: lost, "resumes": when}
            return json.dumps({k: v for k, v in gap.items() if v is not None})
        rate = max(facts.rates, default=0.0)
        length = f" ({lost / rate:.6g} s)" if rate else ""
        what = "skipped at a retune" if facts.follow.retuned else "lost"
        return f"{facts.channel}: sample {sample}: {lost} {what}{length}" + (f", goes on at {when}" if when else "")

    def finish(self) -> Iterator[str]:
        if not self.info:
            return
        for i, facts in enumerate(self.channels.values()):
            if self.json:
                yield json.dumps(facts.as_dict())
            else:
                yield from [""] if i else []
                yield from facts.lines()


def field_names(schema: object) -> list[str]:
    fields = schema.get("fields", []) if isinstance(schema, dict) else []
    return [str(f.get("name")) for f in fields]
