"""A line for people. The same on a terminal, a pipe and a file, but for colour and width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sptools.continuity import Continuity
from sptools.formats import _aircraft, _fields, _terminal
from sptools.formats._bars import Bars
from sptools.formats._convert import level_dBFS
from sptools.formats._fields import iso, printable
from sptools.formats._prompt import Prompt
from sptools.formats._table import Column, day_and_time, fit, head
from sptools.record import IQ, Item, Message, Rows, Spectrum, Start, components, is_complex
from sptools.units import format_scaled

# A block of samples: 69 columns
BLOCK = (
    Column("time", -15), Column("sample", 12), Column("count", 7, 2), Column("type", -7, 1), Column("S/s", 6),
    Column("Hz", 10), Column("dBFS", 6),
)  # fmt: skip
LEAST = 8  # columns of a bar, below which none is drawn


def write(output: Any) -> TextSink:
    """A line for each record, for people: it cannot be read back.

    Blocks show their level and losses, messages are a table, a spectrum is a bar, rows are key=value. Where columns need
    names, or a bar its axis and scale, a line above tells them once, and again when they change. Times are UTC. A table
    leaves out what the window has no room for.
    """
    return TextSink(output)


class TextSink(Prompt):
    """What one block of the input gives is written at once. Before each, width and colour are asked for anew: windows
    change."""

    def __init__(self, output: Any):
        super().__init__(output)
        self.notes: dict[str, int] = {}
        self.channel = ""
        self.several = False  # channels: each line says whose it is
        self.window: int | None = None
        self._follow: dict[str, Continuity] = {}
        self._bars: dict[str, Bars] = {}
        self._above: dict[str, tuple[tuple, list[int]]] = {}  # what a channel's last line of names depended on, columns

    def put(self, item: Item) -> None:
        follow = self._follow.setdefault(item.channel if isinstance(item, Start) else self.channel, Continuity())
        verdict, lost = follow.see(item)
        if isinstance(item, Start):
            self.several = len(self._follow) > 1
            self.channel = item.channel
            if verdict == "gap" and item.name not in ("IQ", "Audio"):
                self._write([f"-- {lost} records lost"])
            return
        if not self._lines:
            self.window = _terminal.window(self.output)
            if self.several and self.window is not None:
                self.window -= len(printable(self.channel)) + 2
        if isinstance(item, Message):
            lines = self._message(item)
        elif isinstance(item, Spectrum):
            lines = self._spectrum(item)
        elif isinstance(item, Rows):
            lines = [row(values) for values in item.values]
        else:
            lines = self._block(item, lost if verdict == "gap" else 0)
        self._write(lines)

    def _write(self, lines: list[str]) -> None:
        before = printable(self.channel) + "  " if self.several else ""
        self._lines += [f"{before}{line}\n" for line in lines]

    def _names(self, columns: Sequence[Column], day: str) -> tuple[list[str], list[int]]:
        """(the line of names, where day, window or kind of record changed; which columns are shown)."""
        key = (columns[-1].name, day, self.window)
        known, shown = self._above.get(self.channel, (None, []))
        if known == key:
            return [], shown
        shown = fit(columns, self.window)
        self._above[self.channel] = key, shown
        return [head(columns, shown, day)], shown

    def _message(self, item: Message) -> list[str]:
        if "icao" not in item.fields:
            return [message(item)]
        day, clock = day_and_time(item.time, 3)
        lines, shown = self._names(_aircraft.COLUMNS, day)
        return [*lines, _aircraft.row(item, clock, shown)]

    def _block(self, item: IQ, lost: int) -> list[str]:
        day, clock = day_and_time(item.time, 6)
        lines, shown = self._names(BLOCK, day)
        return [*lines, block(item, clock, shown) + (f"  lost {lost}" if lost else "")]

    def _spectrum(self, item: Spectrum) -> list[str]:
        """`20:26:40.1 ▁▁▃█▁▁ 99.7M -32.1`: time, bar, and the strongest bin; above it the axis and the scale."""
        power = components(item)
        day, clock = day_and_time(item.time, 1)
        before, after = f"{clock:<10} ", " " + peak(item, power)
        window = 80 if self.window is None else self.window
        room = window - len(before) - len(after)
        if room < LEAST:
            return [before + after]
        colour, unicode = _terminal.colour(self.output), _terminal.unicode()
        bars = self._bars.setdefault(self.channel, Bars())
        drawn = bars.line(power, room, colour=colour, unicode=unicode)
        room = min(room, len(power))
        scale = f"{bars.scale(unicode)} {printable(item.unit)}"
        low, high = (edge(item.freq + side * item.span / 2, item.span / max(1, room)) for side in (-1, 1))
        key = (day, scale, low, high, room)
        lines = []
        if self._above.get(self.channel) != (key, []):
            self._above[self.channel] = key, []
            lines = [line[:window].rstrip() for line in axis(day, low, scale, high, room)]
        return [*lines, before + drawn + after]


def axis(day: str, low: str, scale: str, high: str, columns: int) -> list[str]:
    """The edges above the ends of a bar, the scale between them, or above where they leave no room."""
    room = columns - len(low) - len(high)
    if room >= len(scale) + 2:
        return [f"{day:<10} {low}{scale:^{room}}{high} {'peak':>9}"]
    return [f"{day:<10} {scale}", f"{'':<10} {low}{'':<{max(1, room)}}{high} {'peak':>9}"]


def edge(freq: float, step: float) -> str:
    """A frequency rounded to what a step of so many Hz can tell."""
    if not (math.isfinite(freq) and math.isfinite(step)):
        return str(freq)
    grid = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return format_scaled(round(round(freq / grid) * grid, 3))


def peak(item: Spectrum, power: np.ndarray) -> str:
    """`   99.7M  -32.1`: the strongest bin."""
    if not len(power) or np.isnan(power).all():
        return f"{'none':>9} {'':>6}"
    k = int(np.nanargmax(power))
    step = item.span / len(power)
    return f"{edge(item.freq + (k - len(power) // 2) * step, step):>9} {float(power[k]):6.1f}"


def block(item: IQ, clock: str, shown: list[int]) -> str:
    kind = item.datatype + (f"x{item.channels}" if item.channels > 1 else "")
    texts = (
        clock, str(item.sample), str(item.count), printable(kind), scaled(item.rate),
        scaled(item.freq) if is_complex(item.datatype) or item.freq else "-",
        f"{level_dBFS(components(item), item.datatype):.1f}",
    )  # fmt: skip
    return " ".join([BLOCK[i].cell(texts[i]) for i in shown])


def scaled(value: float) -> str:
    return format_scaled(value) if math.isfinite(value) else str(value)


def message(item: Message) -> str:
    words = " ".join(pair(key, value) for key, value in item.fields.items())
    before = f"{iso(item.time, 6)} {printable(item.protocol)}"
    return f"{before} {item.level:6.1f} dBFS {printable(item.raw)} {words}".rstrip()


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
