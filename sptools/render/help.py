"""`--help`: a description as text of at most 96 columns, in the order in which people look for things."""

from __future__ import annotations

import os

from sptools import registry
from sptools.describe import Description, Setting
from sptools.interface import Interface
from sptools.render import EXIT, argument, flag_text, is_literal, meaning, paragraphs, wrap

WIDTH = 96
COLUMN = 28  # where the meaning of a flag begins


def width() -> int:
    """Columns of the window, at most WIDTH; COLUMNS overrides. A pipe gets WIDTH."""
    said = os.environ.get("COLUMNS", "")
    try:
        columns = int(said) if said.isdecimal() and int(said) else os.get_terminal_size(1).columns
    except OSError:
        return WIDTH
    return max(40, min(WIDTH, columns or WIDTH))


def render(interface: Interface) -> str:
    own, special = interface.own, interface.special
    mode = f" {interface.mode}" if interface.mode and not interface.endpoint else ""
    title = f"{interface.program}{mode}: {special.summary if special and mode else own.summary}"
    rows = [title, "", f"Usage: {usage(interface)}", ""]
    if special:
        if interface.endpoint:
            rows += [*prose(own.text), *wrap(f"{interface.mode}: {special.summary}", width()), ""]
        rows += prose(special.text)
    else:
        rows += prose(own.text)
    if interface.modes and not special:
        rows += listing(interface)
    if special:
        shown = special.settings
        rows += section(f"Settings of {interface.mode}", shown)
    shared = interface.shared
    rows += section("Settings", [s for s in own.settings if s.name not in shared])
    rows += section("Common", interface.common.settings)
    examples = (special.examples if special else []) or own.examples
    if examples:
        rows += ["Examples:", *(f"  {row}" for row in examples), ""]
    rows += exit_status()
    rows += notes(own, special)
    return "\n".join(rows).rstrip("\n") + "\n"


def usage(interface: Interface) -> str:
    """The synopsis: arguments first, as people write them."""
    words = []
    for setting in interface.positional:
        chosen = interface.mode and not interface.endpoint and setting.name == "mode"
        words.append(interface.mode if chosen else argument(setting))
    return " ".join((interface.program, *(str(w) for w in words), "[SETTINGS]"))


def prose(text: str) -> list[str]:
    rows = []
    for part in paragraphs(text):
        rows += [*(part.split("\n") if is_literal(part) else wrap(part, width())), ""]
    return rows


def listing(interface: Interface) -> list[str]:
    """The modes or drivers, a line each."""
    title = "Receivers" if interface.endpoint else "Modes"
    rows = [f"{title}:"]
    for name in interface.mode_names():
        rows += entry(f"  {name}{':' if interface.endpoint else ''}", registry.summary(interface.modes or "", name))
    hint = f"{interface.program} {'sim:' if interface.endpoint else 'MODE'} --help"
    what = "that receiver" if interface.endpoint else "that mode"
    return [*rows, "", f"  {hint} shows the settings of {what}.", ""]


def section(title: str, settings: list[Setting]) -> list[str]:
    if not settings:
        return []
    rows = [f"{title}:"]
    for setting in settings:
        rows += entry(f"  {flag_text(setting)}", meaning(setting))
    return [*rows, ""]


def entry(head: str, text: str) -> list[str]:
    """A flag and its meaning, hanging in two columns."""
    body = [row.strip() for row in wrap(text, width() - COLUMN)]
    if len(head) + 2 > COLUMN:
        return [head, *(" " * COLUMN + row for row in body)]
    first = head.ljust(COLUMN) + (body[0] if body else "")
    return [first.rstrip(), *(" " * COLUMN + row for row in body[1:])]


def exit_status() -> list[str]:
    text = "; ".join(f"{code} {meaning.partition(':')[0]}" for code, meaning in EXIT.items())
    return ["Exit status:", *wrap(text, width(), "  "), ""]


def notes(own: Description, special: Description | None) -> list[str]:
    """Where it comes from, what it holds in memory."""
    rows = []
    for title in ("memory", "caveats", "source"):
        for description in (own, special):
            if description and title in description.sections:
                rows += wrap(f"{title.capitalize()}: {description.sections[title]}", width())
    return [*rows, ""] if rows else []
