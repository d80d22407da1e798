"""Words and paragraphs in the language of manual pages."""

from __future__ import annotations

from sptools.render import is_literal, paragraphs

CONTROL = {"\\": "\\e", "-": "\\-"}


def text(words: str) -> str:
    """Escaped for mdoc: backslash and hyphen, and no line begins with a dot or quote."""
    found = "".join(CONTROL.get(c, c) for c in words)
    return "\\&" + found if found[:1] in (".", "'") else found


def word(value: str) -> str:
    """One argument of a macro: quoted where it has blanks, guarded where it could be taken for a macro."""
    found = text(value)
    if (len(value) <= 3 and value.isalpha()) or value in ("-", "|", "(", ")", "[", "]", ".", ",", ":", ";", "?", "!"):
        found = "\\&" + found.removeprefix("\\&")
    return '"' + found.replace('"', "\\(dq") + '"' if " " in found or '"' in found else found


def lines(paragraph: str) -> list[str]:
    """A paragraph with a sentence a line, as mdoc wants it, none above 76 columns, escapes counted."""
    rows, row = [], ""
    for piece in paragraph.split():
        if row and width(row) + width(piece) > 76:
            rows.append(text(row) + ("\\&" if row[-1] in ".!?" else ""))  # else taken for the end of a sentence
            row = ""
        row += (" " if row else "") + piece
        initial = len(piece) == 2 and piece[0].isupper()
        if piece[-1] in ".!?" and not initial and not piece.endswith(("i.e.", "e.g.")):
            rows.append(text(row))
            row = ""
    return [*rows, text(row)] if row else rows


def width(words: str) -> int:
    """Columns as mandoc counts them: it turns → into \\[u2192] first."""
    return sum(1 if c.isascii() else 8 for c in text(words))


def prose(body: str) -> list[str]:
    rows: list[str] = []
    for part in paragraphs(body):
        if rows:
            rows.append(".Pp")
        if is_literal(part):
            rows = rows[:-1] if rows else rows
            rows += [".Bd -literal -offset indent", *(text(r.strip()) for r in part.split("\n")), ".Ed"]
        else:
            rows += lines(part)
    return rows
