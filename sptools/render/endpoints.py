"""What a manual page says about endpoints: the grammar, and each format with its suffixes and keys."""

from __future__ import annotations

from sptools import registry
from sptools.describe import Description
from sptools.errors import SpError
from sptools.interface import Interface
from sptools.render import meaning
from sptools.render.roff import lines, text, word

GRAMMAR = (
    "An endpoint names a place that bytes come from or go to, what they mean there, and how they are to be read or "
    "written."
)
FORMAT = (
    "The place is a file, or - for standard input or output. A prefix names the format, else the suffix of the file does, "
    "else it is avro. What begins with / or ./ is a file, whatever else its name looks like. Keys follow after commas; no "
    "shell needs quotes for any of it."
)
PART = (
    "A file appears under its name only when it is whole; until then it is called NAME.part. Pipes, devices and standard "
    "output are written as it comes."
)
EXAMPLES = ("night.avro", "night.avro,codec=zstandard", "wav:-", "cu8:-,rate=2.4M,freq=100M", "x.wav,iq=true")
RECEIVER = "The source of this program is a receiver or a recording: NAME:ADDRESS, its settings as keys, as in {}."


def section(interface: Interface) -> list[str]:
    rows = [".Sh ENDPOINTS", *lines(GRAMMAR)]
    rows += [".Bd -literal -offset indent", "[FORMAT:]PLACE[,KEY=VALUE]...", ".Ed", ".Pp", *lines(FORMAT), ".Pp", *lines(PART)]
    if interface.endpoint:
        rows += [".Pp", *lines(RECEIVER.format("sim:fm,pace=0"))]
    rows += [".Pp", "Examples:", ".Bd -literal -offset indent", *(text(example) for example in EXAMPLES), ".Ed", ".Pp"]
    rows += ["The formats and their keys:", ".Bl -tag -width Ds"]
    for name in registry.names("formats"):
        rows += format_of(name)
    return [*rows, ".El"]


def format_of(name: str) -> list[str]:
    """One format: suffixes, summary, keys."""
    found = {kind: described for kind in ("read", "write") if (described := describe(name, kind))}
    suffixes = [suffix for suffix, of in registry.SUFFIXES.items() if of == name]
    if name not in ("text", "sigmf"):
        suffixes.insert(0, f".{name}")
    rows = [f".It Cm {word(name)} Pq {text(', '.join(suffixes))}", *lines(next(iter(found.values())).summary)]
    keys = [(kind, setting) for kind, described in found.items() for setting in described.settings]
    if keys:
        rows += [".Bl -tag -width Ds -compact"]
        for kind, setting in keys:
            value = "Cm true" if setting.switch else f"Ar {word(setting.metavar)}"
            rows.append(f".It Cm {word(setting.name)} Ns = Ns {value}")
            rows += lines(f"{'Reading' if kind == 'read' else 'Writing'}: {meaning(setting)}.")
        rows += [".El"]
    return rows


def describe(name: str, kind: str) -> Description | None:
    try:
        return registry.describe("formats", name, kind)
    except SpError:
        return None
