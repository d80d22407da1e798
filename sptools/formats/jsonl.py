"""JSON, one object a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from sptools import limits
from sptools.formats import _fields
from sptools.formats._lines import Lines
from sptools.formats._prompt import Prompt
from sptools.formats._rows import to_rows
from sptools.record import IQ, Item, Message, Rows, Spectrum, Start
from sptools.units import File

ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def read(input: Any, *, schema: File | None = None) -> Iterator[Item]:
    """Objects, one a line, into rows. Nested values without a schema are kept as JSON text.

    Settings:
        schema: file with the rows' Avro schema; without it, it is guessed from the rows
    """
    lines = Lines(input)
    return to_rows(lines, _objects(lines, flat=schema is None), schema, text=False)


def _objects(lines: Lines, flat: bool) -> Iterator[tuple[int, dict]]:
    for number, text in lines:
        if not text or text.isspace():
            continue
        try:
            values = json.loads(text, parse_constant=_no_number)
            if not isinstance(values, dict):
                raise ValueError("is not an object")
            if _depth(values) > limits.DEPTH:
                raise ValueError(f"is nested deeper than {limits.DEPTH}")
        except RecursionError:
            lines.fail(number, f"is nested deeper than {limits.DEPTH}")
        except json.JSONDecodeError as error:
            end = " and ends in the middle" if lines.cut else ""
            lines.fail(number, f"is not JSON ({error.msg} at character {error.pos + 1}){end}")
        except ValueError as error:
            lines.fail(number, str(error))
        else:
            if flat:
                values = {k: json.dumps(v) if isinstance(v, (dict, list)) else v for k, v in values.items()}
            yield number, values


def _no_number(text: str) -> None:
    raise ValueError(f"has {text}, which is no JSON")


def _depth(value: Any) -> int:
    """Levels of nesting, level by level: hostile input must not choose how deep we recurse."""
    depth, level = 0, [value]
    while level:
        depth += 1
        inner = [v for item in level for v in (item.values() if isinstance(item, dict) else item)]
        level = [v for v in inner if isinstance(v, (dict, list))]
    return depth


def write(output: Any) -> JsonlSink:
    """A line for each record or row: `time` in ISO 8601, a message's fields beside the others, bins of a spectrum as
    `values`; of samples only their number, as `count`."""
    return JsonlSink(output)


class JsonlSink(Prompt):
    """What one block of the input gives is written at once: who reads the lines live waits for nothing."""

    errors = "surrogatepass"

    def __init__(self, output: Any):
        super().__init__(output)
        self.notes: dict[str, int] = {}

    def put(self, item: Item) -> None:
        if isinstance(item, Start):
            return
        self._lines += [encode(line) for line in objects(item)]


def objects(item: Item) -> list[dict]:
    """The JSON objects of a record."""
    if isinstance(item, Rows):
        return item.values
    if isinstance(item, Message):
        return [_fields.merged(item)]
    if isinstance(item, Spectrum):
        return [{**_fields.of_spectrum(item), "values": _fields.bins(item)}]
    if isinstance(item, IQ):
        return [_fields.of_block(item)]
    raise TypeError(type(item))


def _once() -> Callable[[Any], str]:
    """`ENCODER.encode` with a C encoder that is built once, not anew for every object: 1.6 times as fast."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # a Python without it
        return ENCODER.encode
    # None: no look for circles, for records are trees
    parts = make(None, ENCODER.default, json.encoder.encode_basestring, None, ": ", ", ", False, False, False)
    return lambda value: "".join(parts(value, 0))


_encode = _once()


def encode(value: dict) -> str:
    """One line. Most values are plain already; what is not (NaN, bytes, dates) is made so first."""
    try:
        line = _encode(value)
    except (TypeError, ValueError):
        line = ENCODER.encode(_fields.plain(value))
    if not line.isprintable():  # C1 controls and the like, which JSON allows and a terminal obeys
        line = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)
    return line + "\n"
