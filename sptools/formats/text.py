"""A line for people. The same on a terminal, a pipe and a file, but for colour."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sptools.continuity import Continuity
from sptools.formats import _fields, _terminal
from sptools.formats._bars import Bars
from sptools.formats._convert import level_dBFS
from sptools.formats._fields import iso, printable
from sptools.record import IQ, Item, Message, Rows, Spectrum, Start, components, is_complex
from sptools.units import format_scaled

# An aircraft's columns: which of these the message has, how wide, the unit. The decoder's other fields are for jsonl.
AIRCRAFT = (
    (("icao",), 6, ""), (("callsign",), 8, ""), (("squawk",), 4, ""), (("altitude_ft", "gnss_altitude_ft"), 7, "ft"),
    (("latitude",), 11, "°"), (("longitude",), 12, "°"), (("ground_speed_kt", "airspeed_kt"), 8, "kt"),
    (("track_deg", "heading_deg"), 7, "°"), (("vertical_rate_ftpmin",), 12, "ft/min"),
)  # fmt: skip

WIDE = 100  # columns of a window in which the unit is spelled out


def write(output: Any) -> TextSink:
    """A line for each record: blocks with their level and gaps, messages as a table, a spectrum as a bar that fits the
    window, rows as key=value. Cannot be read back: use jsonl for that."""
    return TextSink(output)


class TextSink:
    """What one block of the input gives is written at once. Width and colour are asked for anew with every spectrum:
    windows change."""

    prompt = True

    def __init__(self, output: Any):
        self.output = output
        self.notes: dict[str, int] = {}
        self.channel = ""
        self._lines: list[str] = []
        self.several = False  # channels: each line says whose it is
        self._follow: dict[str, Continuity] = {}
        self._bars: dict[str, Bars] = {}

    def put(self, item: Item) -> None:
        follow = self._follow.setdefault(item.channel if isinstance(item, Start) else self.channel, Continuity())
        verdict, lost = follow.see(item)
        if isinstance(item, Start):
            self.several = len(self._follow) > 1
            self.channel = item.channel
            if verdict == "gap" and item.name not in ("IQ", "Audio"):
                self._write([f"-- {lost} records lost"])
            return
        if isinstance(item, Message):
            lines = [message(item)]
        elif isinstance(item, Spectrum):
            lines = [self._spectrum(item)]
        elif isinstance(item, Rows):
            lines = [row(values) for values in item.values]
        else:
            lines = [block(item, lost if verdict == "gap" else 0)]
        self._write(lines)

    def flush(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, []
            self.output.write("".join(lines).encode("utf-8", "replace"))

    def close(self, ok: bool = True) -> None:
        try:
            self.flush()
        except BaseException:
            self.output.close(False)
            raise
        self.output.close(ok)

    def _write(self, lines: list[str]) -> None:
        before = printable(self.channel) + "  " if self.several else ""
        self._lines += [f"{before}{line}\n" for line in lines]

    def _spectrum(self, item: Spectrum) -> str:
        colour, unicode = _terminal.colour(self.output), _terminal.unicode()
        power = components(item)
        width = _terminal.width()
        before = f"{iso(item.time, 1)[11:-1]} {format_scaled(round(item.freq - item.span / 2)):>6} "
        after = f" {format_scaled(round(item.freq + item.span / 2)):<6} {peak(item, power, unit=width >= WIDE)}"
        room = width - len(before) - len(after)
        if self.several:
            room -= len(printable(self.channel)) + 2
        bars = self._bars.setdefault(self.channel, Bars())
        drawn = bars.line(power, room, colour=colour, unicode=unicode) if room >= 8 else ""
        return before + drawn + after


def peak(item: Spectrum, power: np.ndarray, *, unit: bool) -> str:
    """`peak 99.7M -32.1 dBFS/Hz`: the strongest bin, its frequency rounded to what a bin can tell."""
    said = printable(item.unit) if unit else "dB"
    if not len(power) or np.isnan(power).all():
        return f"peak none {said}"
    k = int(np.nanargmax(power))
    step = item.span / len(power)
    freq = item.freq + (k - len(power) // 2) * step
    grid = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return f"peak {format_scaled(round(round(freq / grid) * grid, 3)):<8} {float(power[k]):6.1f} {said}"


def block(item: IQ, lost: int) -> str:
    kind = item.datatype + (f"x{item.channels}" if item.channels > 1 else "")
    level = level_dBFS(components(item), item.datatype)
    rate = f"{format_scaled(item.rate)}S/s" if math.isfinite(item.rate) else f"{item.rate} S/s"
    line = f"{iso(item.time, 6)} sample {item.sample:>12} count {item.count:>7} {printable(kind)} {rate}"
    if is_complex(item.datatype) or item.freq:
        line += f" {format_scaled(item.freq)}Hz" if math.isfinite(item.freq) else f" {item.freq} Hz"
    return line + f" level {level:6.1f} dBFS" + (f"  gap: {lost} samples lost" if lost else "")


def message(item: Message) -> str:
    before = f"{iso(item.time, 6)} {printable(item.protocol)}"
    if "icao" not in item.fields:
        words = " ".join(pair(key, value) for key, value in item.fields.items())
        return f"{before} {item.level:6.1f} dBFS {printable(item.raw)} {words}".rstrip()
    fields, cells = item.fields, []
    for names, width, unit in AIRCRAFT:
        for name in names:
            if name in fields:
                text = short(fields[name]) + unit
                cells.append(text.rjust(width) if unit else text.ljust(width))
                break
        else:
            cells.append(" " * width)
    note = "" if item.valid == "crc" else f" ({item.valid})"
    return f"{before} {' '.join(cells)} {item.level:6.1f} dBFS {printable(item.raw)}{note}"


def row(values: dict) -> str:
    """`time` first, as a date where it is ns since 1970, which rows have as a rule."""
    words = [pair(key, value) for key, value in values.items() if key != "time" or not isinstance(value, int)]
    return " ".join([iso(values["time"], 6), *words] if len(words) < len(values) else words)


def pair(key: str, value: Any) -> str:
    text = short(value)
    return f"{printable(str(key))}={text!r}" if " " in text else f"{printable(str(key))}={text}"


def short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, str):
        return printable(value)
    if value is None:
        return "-"
    return printable(str(_fields.plain(value)))
