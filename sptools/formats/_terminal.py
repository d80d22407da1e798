"""What the text may look like where it goes: its width, whether it may be coloured, whether blocks can be shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def window(output: Any, env: Mapping[str, str] = os.environ) -> int | None:
    """Columns of the window now; COLUMNS overrides. None: a pipe or a file, which has no window."""
    said = env.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return max(20, int(said))
    try:
        return max(20, os.get_terminal_size(output.fileno()).columns or 80)
    except (AttributeError, ValueError, OSError):
        return None


def colour(output: Any, env: Mapping[str, str] = os.environ) -> bool:
    """https://no-color.org and https://bixense.com/clicolors: NO_COLOR wins, then force, then the terminal."""
    if env.get("NO_COLOR"):
        return False
    if any(env.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    if env.get("TERM", "dumb") == "dumb":
        return False
    try:
        return os.isatty(output.fileno())
    except (AttributeError, OSError):
        return False


def unicode(env: Mapping[str, str] = os.environ) -> bool:
    """Whether the locale says UTF-8. Python itself sets LC_CTYPE=C.UTF-8 where LANG is C; then LANG decides."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = env.get(name, "")
        if name == "LC_CTYPE" and value == "C.UTF-8" and env.get("LANG") in ("C", "POSIX"):
            return False
        if value:
            return "utf-8" in value.lower() or "utf8" in value.lower()
    return False
