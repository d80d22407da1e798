"""What is printed from a description: help, man page, configuration, completion. Nothing of it is written twice."""

from __future__ import annotations

from sptools.describe import Setting
from sptools.units import Within

# L4, as help and man pages say it. The classes of `errors` carry the codes; a test compares.
EXIT = {
    0: "done",
    2: "usage: the command line or an endpoint is wrong",
    65: "bad data; the good part was delivered",
    66: "no input: a file does not exist, or an input holds nothing at all",
    69: "unavailable: receiver, library or peer",
    70: "a bug of ours",
    73: "an output cannot be created",
    74: "input or output failed: disk full, standard output closed",
    75: "it may work later",
    77: "permission denied",
    78: "wrong configuration: file, environment or credential",
    130: "ended by SIGINT, after delivering what was there",
    141: "ended by SIGPIPE: nobody reads the output any more",
}


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """Rows of at most `width` columns; the standard textwrap costs 2 ms to import."""
    rows, row = [], indent
    for word in text.split():
        if len(row) > len(indent) and len(row) + 1 + len(word) > width:
            rows.append(row)
            row = indent
        row += (" " if len(row) > len(indent) else "") + word
    return [*rows, row] if row.strip() else rows


def paragraphs(text: str) -> list[str]:
    """Blank-line separated parts; an indented one (a formula, a table) keeps its rows."""
    return [part for part in text.split("\n\n") if part.strip()]


def is_literal(paragraph: str) -> bool:
    return all(row.startswith("  ") for row in paragraph.split("\n") if row.strip())


def span(setting: Setting, within: Within) -> str:
    return f"{setting.unit.format(within.lo)} to {setting.unit.format(within.hi)}"


def facts(setting: Setting) -> str:
    """`default 200k, 10k to 300k, live`: what a person wants to know besides the meaning."""
    found = []
    default = setting.default
    if setting.required and not setting.positional:
        found.append("required")
    elif default is True or (setting.takes_value and default is not None and default not in ([], "", setting)):
        if not setting.required and not setting.negative:
            found.append(f"default {'on' if default is True else setting.format(default)}")
    if setting.within:
        found.append(span(setting, setting.within))
    if setting.many:
        found.append("repeatable")
    if setting.live:
        found.append("live")
    return ", ".join(found)


def meaning(setting: Setting) -> str:
    """The help of a setting with its facts in brackets; where the flag turns it off, what that does."""
    told = facts(setting)
    help = f"do not {setting.help}" if setting.negative and setting.help else setting.help
    return f"{help} ({told})" if told else help


def flag_text(setting: Setting) -> str:
    """`-f, --freq FREQ`"""
    value = f" {setting.metavar}" if setting.takes_value else ""
    long = setting.negative or setting.flag
    return f"{setting.short + ', ' if setting.short else '    '}{long}{value}"


def argument(setting: Setting) -> str:
    """`SOURCE`, `[IN...]`"""
    name = setting.name.upper() + ("..." if setting.many else "")
    return name if setting.required else f"[{name}]"
