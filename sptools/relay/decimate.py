"""Every so many rows become one: the first of them, their mean, their extremes or their root mean square, per signal.

Numbers are treated so; `time` is that of the first row (of the maxima: of the last); text, enums and all else keep the
last. Where a number may be missing, the rows that have it count. `minmax` gives two rows, the minima and the maxima.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

NUMBERS = ("int", "long", "float", "double")
TIME = 9  # bytes of an int64 of ns from 1971 to 2116
HOW = ("pick", "mean", "minmax", "rms")


def number_of(kind: Any) -> str | None:
    """int, long, float or double, also where it may be null or has attributes; None: something else, or a time."""
    if isinstance(kind, list):
        found = [number_of(branch) for branch in kind if branch != "null"]
        return found[0] if len(found) == 1 else None
    if isinstance(kind, dict):
        return None if "logicalType" in kind else number_of(kind.get("type"))
    return kind if kind in NUMBERS else None


def schema_of(schema: dict, how: str) -> dict:
    """Of the decimated rows: a mean of whole numbers is none."""
    if how not in ("mean", "rms"):
        return schema
    fields = [
        {**f, "type": _double(f["type"])} if number_of(f["type"]) in ("int", "long") and f["name"] != "time" else f
        for f in schema["fields"]
    ]
    return {**schema, "fields": fields}


def _double(kind: Any) -> Any:
    if isinstance(kind, list):
        return [_double(branch) for branch in kind]
    if isinstance(kind, dict):
        return {**kind, "type": _double(kind["type"])}
    return "double" if kind in NUMBERS else kind


class Pick:
    """The first row of each group."""

    def __init__(self, every: int):
        self.every, self._skip = every, 0

    def some(self, n: int) -> slice:
        """Which of the next `n` rows."""
        kept = slice(self._skip, n, self.every)
        self._skip = (self._skip - n) % self.every
        return kept


class Values:
    """Decoded rows. `feed` returns those of the groups that are complete."""

    def __init__(self, schema: dict, every: int, how: str):
        self.every, self.how = every, how
        self.fields = [(f["name"], number_of(f["type"]) if f["name"] != "time" else None) for f in schema["fields"]]
        self._timed = any(f["name"] == "time" for f in schema["fields"])
        self._rest: list[dict] = []

    def feed(self, rows: list[dict]) -> list[dict]:
        n = self.every
        rows = self._rest + rows
        whole = len(rows) // n * n
        self._rest = rows[whole:]
        return [row for at in range(0, whole, n) for row in self._group(rows[at : at + n])]

    def _group(self, rows: list[dict]) -> list[dict]:
        if self.how == "minmax":
            return [self._one(rows, np.min, first=True), self._one(rows, np.max, first=False)]
        return [self._one(rows, np.mean if self.how == "mean" else _rms, first=True)]

    def _one(self, rows: list[dict], of: Callable, *, first: bool) -> dict:
        out = dict(rows[-1])
        if self._timed and first:
            out["time"] = rows[0]["time"]
        for name, kind in self.fields:
            if kind is None:
                continue
            there = [row[name] for row in rows if row[name] is not None]
            out[name] = of(np.array(there)).item() if there else None
        return out


def _rms(x: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(np.square(x, dtype=np.float64)))


class Fixed:
    """Rows of `time` and doubles alone, as they are encoded: nothing is decoded into objects."""

    def __init__(self, doubles: int, every: int, how: str):
        self.size, self.every, self.how = TIME + 8 * doubles, every, how
        self.rest = np.empty((0, self.size), np.uint8)

    @staticmethod
    def doubles(schema: dict) -> int | None:
        """How many follow the time; None: the rows are of another kind."""
        first, *others = schema["fields"] or [{"name": "", "type": ""}]
        kind = first["type"]
        timed = first["name"] == "time" and (kind.get("type") if isinstance(kind, dict) else kind) == "long"
        plain = all(not isinstance(f["type"], list) and number_of(f["type"]) == "double" for f in others)
        return len(others) if timed and plain and others else None

    def fits(self, rows: np.ndarray) -> bool:
        """Whether each of (n, bytes) has a time of the usual length."""
        return rows.shape[1] == self.size and bool((rows[:, :8] > 0x7F).all() and (rows[:, 8] < 0x80).all())

    def feed(self, rows: np.ndarray) -> np.ndarray:
        """(n, bytes) uint8 → those of the groups that are complete."""
        n = self.every
        rows = np.concatenate((self.rest, rows)) if len(self.rest) else rows
        k = len(rows) // n
        self.rest = rows[k * n :].copy()
        if not k:
            return rows[:0]
        rows = rows[: k * n]
        x = np.ascontiguousarray(rows[:, TIME:]).view("<f8").reshape(k, n, -1)
        if self.how == "minmax":
            out = np.empty((k, 2, self.size), np.uint8)
            self._write(out[:, 0], rows[::n], x.min(axis=1))
            self._write(out[:, 1], rows[n - 1 :: n], x.max(axis=1))
            return out.reshape(-1, self.size)
        out = np.empty((k, self.size), np.uint8)
        self._write(out, rows[::n], x.mean(axis=1) if self.how == "mean" else np.sqrt(np.mean(np.square(x), axis=1)))
        return out

    @staticmethod
    def _write(out: np.ndarray, times: np.ndarray, values: np.ndarray) -> None:
        out[:, :TIME] = times[:, :TIME]
        out[:, TIME:] = np.ascontiguousarray(values).view(np.uint8)
