"""JSON and text values into a given Avro schema, checked. Avro's writer would fail on the first that does not fit, far
from the line that brought it."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from sptools import limits
from sptools.errors import BadData, NoInput, Usage
from sptools.formats._infer import LONG, check_text
from sptools.instant import parse

INT = 1 << 31
MISSING = object()
NUMBER = re.compile(r"-?(0|[1-9]\d{0,30})(\.\d{0,30})?([eE][+-]?\d{1,2})?")
SCALES = {"timestamp-nanos": 1, "timestamp-micros": 10**3, "timestamp-millis": 10**6}  # ns per unit


def load_schema(path: str) -> dict:
    """A record schema from a file; what is no such schema is a usage error, since the user named it."""
    try:
        if os.path.getsize(path) > limits.HEADER:
            raise Usage(f"{path} is larger than {limits.HEADER:,} bytes: not a schema")
        with open(path, encoding="utf-8") as f:
            schema = json.load(f)
    except OSError as error:
        raise NoInput(f"schema {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Usage(f"schema {path} is not JSON: {error}") from None
    if not isinstance(schema, dict) or schema.get("type") != "record" or not isinstance(schema.get("fields"), list):
        raise Usage(f"schema {path} is not a record with fields")
    for field in schema["fields"]:
        if not isinstance(field, dict) or not isinstance(field.get("name"), str) or "type" not in field:
            raise Usage(f"schema {path}: {str(field)[:60]} is no field")
    return schema


class Coerce:
    """`row(values)` → the row that `schema` describes. `text`: values are texts (CSV), empty ones null."""

    def __init__(self, schema: dict, *, text: bool = False):
        self.schema, self.text = schema, text
        self.named: dict[str, Any] = {}
        self._collect(schema, 0)

    def row(self, values: dict[str, Any]) -> dict[str, Any]:
        return self._record(self.schema, values, "")

    def _collect(self, schema: Any, depth: int) -> None:
        if depth > limits.DEPTH:
            raise Usage(f"the schema is nested deeper than {limits.DEPTH}")
        if isinstance(schema, list):
            for branch in schema:
                self._collect(branch, depth + 1)
        elif isinstance(schema, dict):
            if "name" in schema and schema.get("type") in ("record", "enum", "fixed"):
                self.named[str(schema["name"])] = schema
                if schema.get("namespace"):
                    self.named[f"{schema['namespace']}.{schema['name']}"] = schema
            for field in schema.get("fields", ()):
                self._collect(field.get("type"), depth + 1)
            for key in ("items", "values"):
                if key in schema:
                    self._collect(schema[key], depth + 1)
            if isinstance(schema.get("type"), (dict, list)):
                self._collect(schema["type"], depth + 1)

    def _record(self, schema: dict, values: Any, where: str) -> dict[str, Any]:
        if not isinstance(values, dict):
            raise BadData(f"has {_short(values)} for {where}, which is a record")
        known = {field["name"] for field in schema["fields"]}
        if unknown := [key for key in values if key not in known]:
            raise BadData(f"has {unknown[0]!r}, which the schema has not")
        made = {}
        for field in schema["fields"]:
            name = field["name"]
            value = values.get(name, MISSING)
            if value is MISSING and "default" in field:
                made[name] = default(field)
            else:
                made[name] = self.value(field["type"], None if value is MISSING else value, name)
        return made

    def value(self, schema: Any, value: Any, where: str) -> Any:
        if isinstance(schema, str) and schema in self.named:
            schema = self.named[schema]
        if isinstance(schema, list):
            return self._union(schema, value, where)
        kind = schema.get("type") if isinstance(schema, dict) else schema
        if isinstance(kind, (dict, list)):
            return self.value(kind, value, where)
        if self.text and isinstance(value, str) and kind != "string":
            value = from_text(value)
        facts = schema if isinstance(schema, dict) else {}
        if kind == "record":
            return self._record(facts, value, where)
        if kind == "array" and isinstance(value, list):
            return [self.value(facts["items"], inner, where) for inner in value]
        if kind == "map" and isinstance(value, dict):
            return {key: self.value(facts["values"], inner, where) for key, inner in value.items()}
        return self._primitive(kind, facts, value, where)

    def _union(self, branches: list, value: Any, where: str) -> Any:
        if value is None or (self.text and value == ""):
            if "null" in branches:
                return None
        for branch in branches:
            try:
                return self.value(branch, value, where)
            except BadData:
                continue
        raise BadData(f"has {_short(value)} for {where}, which takes {_short(branches)}")

    def _primitive(self, kind: Any, facts: dict, value: Any, where: str) -> Any:
        if kind in ("int", "long"):
            scale = SCALES.get(facts.get("logicalType", ""))
            if scale and isinstance(value, str):
                try:
                    value = parse(value) // scale
                except Usage as error:
                    raise BadData(f"has a time that is none for {where}: {error}") from None
            most = LONG if kind == "long" else INT
            if isinstance(value, int) and not isinstance(value, bool) and -most <= value < most:
                return value
        elif kind in ("float", "double"):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return float(value)
        elif kind == "boolean":
            if isinstance(value, bool):
                return value
        elif kind == "string":
            if isinstance(value, str):
                check_text(value)
                return value
        elif kind == "enum":
            if value in facts.get("symbols", ()):
                return value
        elif kind in ("bytes", "fixed"):  # hexadecimal, as we write them
            try:
                data = bytes.fromhex(value)
                if kind == "bytes" or len(data) == facts.get("size"):
                    return data
            except (TypeError, ValueError):
                pass
        elif kind == "null" and value is None:
            return None
        raise BadData(f"has {_short(value)} for {where}, which is {_short(kind)}")


def default(field: dict) -> Any:
    """A field's default; in a schema bytes are spelled as the characters 0 to 255."""
    kind = field["type"][0] if isinstance(field["type"], list) and field["type"] else field["type"]
    kind = kind.get("type") if isinstance(kind, dict) else kind
    value = field["default"]
    return value.encode("latin-1", "replace") if kind in ("bytes", "fixed") and isinstance(value, str) else value


def from_text(text: str) -> Any:
    """null, boolean, integer or float of a text, if it reads like one; else the text. `007` stays a text."""
    if text == "" or text in ("nan", "NaN"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if not NUMBER.fullmatch(text):
        return text
    return int(text) if text.lstrip("-").isdigit() and len(text) < 20 else float(text)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"
