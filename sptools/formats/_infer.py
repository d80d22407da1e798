"""A schema for rows that come without one: guessed from the first row, widened when a later one does not fit.

Every field may be null. Kinds widen boolean → string, long → double → string; a new name is a new field.
"""

from __future__ import annotations

import re
from typing import Any

from sptools.errors import BadData, Usage
from sptools.instant import MOMENT, parse

MOST_fields = 1024
LONG = 1 << 63
MODERN = 10**17  # a larger number called time is ns since 1970: 1973 and later; no other unit reaches it
TIME = {"type": "long", "logicalType": "timestamp-nanos"}


class Guess:
    """`fit(row)` → the row as the schema wants it, which may have become wider by it."""

    def __init__(self, name: str = "row"):
        self.name = name
        self.kinds: dict[str, str] = {}  # field → null, boolean, long, double, string, time
        self.fields: dict[str, str] = {}  # name in the input → name in the schema

    @property
    def schema(self) -> dict:
        fields = []
        for key, kind in self.kinds.items():
            inner: Any = TIME if kind == "time" else kind
            fields.append({"name": key, "type": "null" if kind == "null" else ["null", inner], "default": None})
        return {"type": "record", "name": self.name, "fields": fields}

    def fit(self, row: dict[str, Any]) -> dict[str, Any]:
        values = dict.fromkeys(self.kinds)
        for name, value in row.items():
            key = self.fields.get(name)
            if key is None:
                key = self._add(name)
            self.kinds[key] = widest(self.kinds[key], kind_of(key, value))
            values[key] = value
        return {key: as_kind(value, self.kinds[key]) for key, value in values.items()}

    def _add(self, name: str) -> str:
        """Avro's names are letters, digits and `_`; other characters become `_`."""
        if len(self.kinds) >= MOST_fields:
            raise BadData(f"has more than {MOST_fields} different fields")
        key = re.sub(r"[^A-Za-z0-9_]", "_", name)[:200]
        if not key or key[0].isdigit():
            key = "_" + key
        while key in self.kinds:
            key += "_"
        self.fields[name] = key
        self.kinds[key] = "null"
        return key


def kind_of(key: str, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        if not -LONG <= value < LONG:
            raise BadData(f"has {str(value)[:24]} for {key}, which no 64 bits hold")
        return "time" if key == "time" and abs(value) > MODERN else "long"
    if isinstance(value, float):
        return "double"
    check_text(value)
    return "time" if key == "time" and MOMENT.fullmatch(value) else "string"


def check_text(value: str) -> None:
    """JSON can spell halves of surrogate pairs, which no UTF-8 holds."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadData("has half a surrogate pair in a text") from None


def widest(a: str, b: str) -> str:
    if a == "null":
        return b
    if a == b or b == "null":
        return a
    if {a, b} == {"long", "double"}:
        return "double"
    if {a, b} == {"long", "time"}:
        return "time"  # ns since 1970
    return "string"


def as_kind(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "double":
        return float(value)
    if kind == "string" and not isinstance(value, str):
        return ("true" if value else "false") if isinstance(value, bool) else str(value)
    if kind == "time" and isinstance(value, str):
        try:
            return parse(value)
        except Usage as error:
            raise BadData(f"has a time that is none: {error}") from None
    return value
