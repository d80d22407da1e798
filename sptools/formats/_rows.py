"""Rows of named values, from `jsonl` or `csv`, into a stream of records."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from sptools.errors import BadData
from sptools.formats._coerce import Coerce, from_text, load_schema
from sptools.formats._infer import Guess
from sptools.formats._lines import Lines
from sptools.record import Item, Rows, Start

GATHER = 1000  # rows in one record, if so many are there; nobody waits for them


def to_rows(lines: Lines, parsed: Iterable[tuple[int, dict[str, Any]]], schema: str | None, *, text: bool) -> Iterator[Item]:
    """`parsed` gives (line number, values). With `schema`, a file, each row must fit it; without, a new header
    announces every schema that grew. `text`: the values are texts. Lines that do not fit are left out and reported."""
    given = Coerce(load_schema(schema), text=text) if schema else None
    guess = Guess()
    boot, blocks = os.urandom(8), 0
    told: dict[str, str] = {}
    rows: list[dict] = []
    if given:
        yield Start(given.schema, boot=boot)
    for number, values in parsed:
        try:
            if given:
                row = given.row(values)
            else:
                row = guess.fit({k: from_text(v) for k, v in values.items()} if text else values)
        except BadData as error:
            lines.fail(number, str(error))
        else:
            if not given and guess.kinds != told:
                if rows:
                    yield Rows(rows)
                    rows, blocks = [], blocks + 1
                told = dict(guess.kinds)
                yield Start(guess.schema, boot=boot, first=blocks)
            rows.append(row)
        if rows and (len(rows) == GATHER or not lines.more):
            yield Rows(rows)
            rows, blocks = [], blocks + 1
    if rows:
        yield Rows(rows)
    lines.report()
