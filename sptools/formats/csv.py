"""Comma-separated values (RFC 4180), the first line names the columns. Spectra are written as rtl_power does."""

from __future__ import annotations

import csv as csv_
import io
import json
from collections.abc import Iterator
from typing import Any

from sptools.errors import BadData
from sptools.formats import _fields
from sptools.formats._lines import LINE, Lines
from sptools.formats._rows import to_rows
from sptools.record import IQ, Item, Message, Rows, Spectrum, Start
from sptools.units import File


def read(input: Any, *, schema: File | None = None) -> Iterator[Item]:
    """Rows under a line of names. Without a schema what reads like a number is one, and an empty cell is null.

    Settings:
        schema: file with the rows' Avro schema; without it, it is guessed from the rows
    """
    lines = Lines(input)
    return to_rows(lines, _cells(lines), schema, text=True)


def _cells(lines: Lines) -> Iterator[tuple[int, dict[str, str]]]:
    names: list[str] | None = None
    for number, cells in _records(lines):
        if names is None:
            if len(set(cells)) < len(cells) or not all(cells):
                raise BadData(f"{lines.input.name}: the first line must give every column a name of its own")
            names = cells
        elif len(cells) != len(names):
            lines.fail(number, f"has {len(cells)} cells under {len(names)} names")
        else:
            yield number, dict(zip(names, cells, strict=True))


def _records(lines: Lines) -> Iterator[tuple[int, list[str]]]:
    """(number of its last line, cells). A quoted cell may run over several lines, but not on and on: one quote
    too many would swallow the rest."""
    held: list[str] = []
    size, quotes = 0, 0
    for number, text in lines:
        held.append(text)
        size += len(text) + 1
        quotes += text.count('"')
        if quotes % 2:
            if size > LINE or lines.cut:
                lines.fail(number - len(held) + 1, "opens a quote that does not close")
                held, size, quotes = [], 0, 0
            continue
        whole, held, size, quotes = held, [], 0, 0
        if whole == [""]:
            continue
        try:
            cells = next(csv_.reader([line + "\n" for line in whole[:-1]] + whole[-1:], strict=True))
        except csv_.Error as error:
            lines.fail(number, f"is not CSV ({error})")
        else:
            yield number, cells
    if held:
        lines.fail(lines.number - len(held) + 1, "opens a quote that does not close")


def write(output: Any) -> CsvSink:
    """A line for each record or row under a line of names. Spectra: date, time, Hz low, Hz high, Hz step, samples, dB …
    Of samples only their number is written; a message's own fields stand in one cell, as JSON."""
    return CsvSink(output)


class CsvSink:
    """One set of columns from the first record on."""

    def __init__(self, output: Any):
        self.output = output
        self.notes: dict[str, int] = {}
        self.names: list[str] | None = None
        self.schema: dict = {}

    def put(self, item: Item) -> None:
        if isinstance(item, Start):
            self.schema = item.schema
            return
        text = io.StringIO()
        if isinstance(item, Spectrum):
            self._head(text, [], "spectra")
            text.write(power_line(item))
        else:
            lines = [tabular(line) for line in objects(item)]
            if lines:
                names = [field["name"] for field in self.schema.get("fields", ())] if isinstance(item, Rows) else []
                table = csv_.DictWriter(text, names or list(lines[0]), lineterminator="\r\n", extrasaction="ignore")
                self._head(text, list(table.fieldnames), type(item).__name__)
                table.writerows(lines)
        if text.tell():
            self.output.write(text.getvalue().encode("utf-8", "surrogatepass"))

    def flush(self) -> None:
        pass

    def close(self, ok: bool = True) -> None:
        self.output.close(ok)

    def _head(self, text: io.StringIO, names: list[str], what: str) -> None:
        if self.names is None:
            self.names = names
            if names:
                csv_.writer(text, lineterminator="\r\n").writerow(names)
        elif names != self.names:
            raise BadData(
                f"{self.output.name}: {what} with the columns {', '.join(names)} follow others, and a CSV file has one "
                "set: choose a channel with --channel, or write jsonl"
            )


def objects(item: Item) -> list[dict]:
    if isinstance(item, Rows):
        return item.values
    if isinstance(item, Message):
        return [{**_fields.of_message(item), "fields": item.fields}]
    if isinstance(item, IQ):
        return [_fields.of_block(item)]
    raise TypeError(type(item))


def tabular(values: dict) -> dict[str, Any]:
    """What a cell can hold: null is empty, what is nested is JSON."""
    return {key: cell(_fields.plain(value)) for key, value in values.items()}


def cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return value


def power_line(spectrum: Spectrum) -> str:
    """rtl_power's columns, which its readers know. Time is UTC in whole seconds there; `jsonl` keeps the rest."""
    day, _, clock = _fields.iso(spectrum.time, 0).rstrip("Z").partition("T")
    values = _fields.bins(spectrum)
    low, step = spectrum.freq - spectrum.span / 2, spectrum.span / max(1, len(values))
    levels = ", ".join("nan" if value is None else f"{value:.2f}" for value in values)
    samples = spectrum.averages * len(values)
    return f"{day}, {clock}, {low:.0f}, {low + spectrum.span:.0f}, {step:.2f}, {samples}, {levels}\r\n"
