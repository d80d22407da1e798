"""Takes a docstring apart: summary, paragraphs, sections; the `Settings:` section into the help of each setting."""

from __future__ import annotations

import re

INLINE = re.compile(r"(Source|Memory|Caveats|Files|Streams|Buffers|See also):\s+(.*)")
SECTION = re.compile(r"([A-Z][A-Za-z ]{1,20}):")


def split(text: str) -> tuple[str, str, dict[str, str]]:
    """(summary line, paragraphs, sections). A section is a title with a colon and what is indented below it, or stands
    beside it; titles come in lower case."""
    summary, _, rest = text.partition("\n")
    title, found = "", {"": ""}
    for row in rest.split("\n"):
        heading = SECTION.fullmatch(row.rstrip())
        inline = INLINE.fullmatch(row.rstrip())
        if heading or inline:
            title = (heading or inline)[1].lower()  # type: ignore[index]
            found[title] = inline[2] + "\n" if inline else ""
        else:
            found[title] += row + "\n"
    body = found.pop("").strip("\n")
    return summary.strip(), body, {title: dedent(section).strip("\n") for title, section in found.items()}


def commands(examples: str) -> list[str]:
    """The lines of an `Examples:` section; a backslash joins two."""
    return [row.strip() for row in re.sub(r"\s*\\\n\s*", " ", examples).split("\n") if row.strip()]


def dedent(text: str) -> str:
    rows = text.split("\n")
    # the first row of an inline section stands beside its title and has no indentation of its own
    depths = [len(row) - len(row.lstrip()) for row in rows[1 if rows[0][:1].strip() else 0 :] if row.strip()]
    depth = min(depths, default=0)
    return "\n".join(row[depth:] if not row[:depth].strip() else row for row in rows)


def settings_help(text: str) -> dict[str, str]:
    """`name: help` rows; a row that is indented deeper goes on with the one above."""
    told: dict[str, str] = {}
    name = ""
    for row in text.split("\n"):
        found = re.match(r"([a-z_][a-z0-9_]*):\s*(.*)", row)
        if found:
            name = found[1]
            told[name] = found[2].strip()
        elif name and row.strip():
            told[name] += " " + row.strip()
    return told
