"""Columns under a line of names: those that fit the window, the least important left out first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sptools.formats._fields import iso


class Column(NamedTuple):
    name: str
    width: int  # negative: to the left
    rank: int = 0  # of the columns that do not fit, the one with the highest goes first; 0 stays

    def cell(self, text: str) -> str:
        return text.rjust(self.width) if self.width > 0 else text.ljust(-self.width)


def fit(columns: Sequence[Column], window: int | None) -> list[int]:
    """Which of the columns to show in a window of so many columns; None: all."""
    shown = list(range(len(columns)))
    while window is not None and sum(abs(columns[i].width) + 1 for i in shown) - 1 > window:
        worst = max(shown, key=lambda i: columns[i].rank)
        if not columns[worst].rank:
            break
        shown.remove(worst)
    return shown


def head(columns: Sequence[Column], shown: list[int], date: str) -> str:
    """The names; above the time of day stands the date."""
    return " ".join(columns[i].cell(date if not i else columns[i].name) for i in shown).rstrip()


def day_and_time(time: int, digits: int) -> tuple[str, str]:
    """(`2026-05-28`, `20:26:40.123`) of ns UTC. What no calendar has comes back as one word, without a day."""
    text = iso(time, digits)
    return (text[:10], text[11:-1]) if text[10:11] == "T" else ("", text)
