"""What there is, by file name: one file in a folder adds one demodulator, driver, format or transport.

`names` lists a folder and imports nothing. Plug-ins of other distributions (entry points, group `sptools.<kind>`) are
asked on a miss only, because `importlib.metadata` costs 30 ms.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from types import ModuleType

from sptools.describe import Description, read_signature, read_summary
from sptools.errors import Usage

HOME = os.path.dirname(os.path.abspath(__file__))
NOUNS = {"demods": "demodulator", "cmd": "tool"}
FOLDERS = {"demods": "dsp/demods"}  # elsewhere the kind is the folder
SUFFIXES = {
    ".sigmf-meta": "sigmf", ".sigmf-data": "sigmf", ".sigmf": "sigmf", ".txt": "text", ".ndjson": "jsonl",
}  # fmt: skip


def folder(kind: str) -> str:
    return FOLDERS.get(kind, kind)


def names(kind: str) -> list[str]:
    """The names of a kind, sorted: modules and packages of its folder that do not start with `_`."""
    path = os.path.join(HOME, folder(kind))
    found = set()
    for entry in _list(path):
        stem, suffix = os.path.splitext(entry)
        if entry.startswith(("_", ".")):
            continue
        if suffix == ".py" or (not suffix and os.path.isfile(os.path.join(path, entry, "__init__.py"))):
            found.add(stem)
    return sorted(found)


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def find(kind: str, name: str) -> str:
    """The source file of a name. Unknown: Usage, naming the valid ones."""
    base = os.path.join(HOME, folder(kind), name)
    if name.replace("-", "_").isidentifier() and not name.startswith("_"):
        for path in (base + ".py", os.path.join(base, "__init__.py")):
            if os.path.isfile(path):
                return path
    if plugin := _plugin(kind, name):
        from importlib.util import find_spec

        spec = find_spec(plugin.module)
        if spec and spec.origin:
            return spec.origin
    raise Usage(unknown(kind, name, names(kind)))


def unknown(kind: str, name: str, valid: Iterable[str]) -> str:
    """The sentence for a name that nobody has, with a guess at what was meant."""
    from difflib import get_close_matches

    valid = list(valid)
    near = get_close_matches(name, valid, 1)
    guess = f"did you mean {near[0]}? " if near else ""
    one = NOUNS.get(kind, kind.rpartition("/")[2].rstrip("s"))
    return f"no {one} {name!r}: {guess}there are {', '.join(valid) or 'none'}"


def _plugin(kind: str, name: str):
    """The entry point of another distribution, or None."""
    from importlib.metadata import entry_points

    for point in entry_points(group=f"sptools.{kind.replace('/', '.')}", name=name):
        return point
    return None


def load(kind: str, name: str) -> ModuleType:
    """Imports and returns the module of a name."""
    from importlib import import_module

    path = find(kind, name)
    if path.startswith(os.path.join(HOME, folder(kind)) + os.sep):
        module = f"sptools.{folder(kind).replace('/', '.')}.{name}"
        return sys.modules.get(module) or import_module(module)
    plugin = _plugin(kind, name)
    assert plugin is not None
    return import_module(plugin.module)


def describe(kind: str, name: str, function: str | None = None) -> Description:
    """The signature of `function` (by default the one named like the file), read without import."""
    return read_signature(find(kind, name), function or name)


def summary(kind: str, name: str, function: str | None = None) -> str:
    """The first line of its docstring."""
    return read_summary(find(kind, name), function or name)


def format_of(path: str) -> str | None:
    """The format that a file's suffix names, or None."""
    base = os.path.basename(path)
    suffix = os.path.splitext(base)[1].lower()
    if not suffix or suffix == base:
        return None
    name = SUFFIXES.get(suffix, suffix[1:])
    return name if name in names("formats") else None
