"""Lines on stderr, for people and for the journal: `sp-capture: no dongle`.

Not the standard library's logging, which costs 10 ms of every start. One line a call, one write a line, so that
lines of several tools of a pipeline do not mix; control bytes of foreign names are shown, not obeyed.
"""

from __future__ import annotations

import os
from typing import Any

ERROR, WARNING, NOTICE, INFO, DEBUG = 3, 4, 5, 6, 7  # syslog's numbers
_state: dict[str, Any] = {"name": "sptools", "level": NOTICE, "journal": False}


def configure(name: str, verbose: int = 0, quiet: bool = False) -> None:
    """Says who speaks and how much: errors alone with -q, notices, more with -v and -vv."""
    _state["name"] = name
    _state["level"] = ERROR if quiet else min(NOTICE + verbose, DEBUG)
    _state["journal"] = _is_journal()


def _is_journal() -> bool:
    """Is stderr the very stream that systemd names in JOURNAL_STREAM (device:inode)?"""
    stream = os.environ.get("JOURNAL_STREAM")
    if not stream:
        return False
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"


def wanted(level: int) -> bool:
    return level <= _state["level"]


def escape(text: str) -> str:
    """The text with what a terminal would obey written out: `\\x1b`, and line breaks as `\\n`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def line(level: int, message: str) -> bytes:
    """The bytes of one line, with the journal's prefix where that is who reads."""
    prefix = f"<{level}>" if _state["journal"] else ""
    return f"{prefix}{_state['name']}: {escape(message)}\n".encode("utf-8", "backslashreplace")


def say(level: int, message: str) -> None:
    if level > _state["level"]:
        return
    try:
        os.write(2, line(level, message))
    except OSError:
        pass  # nobody listens on stderr: that must not stop the samples


def error(message: str) -> None:
    say(ERROR, message)


def warning(message: str) -> None:
    say(WARNING, message)


def notice(message: str) -> None:
    say(NOTICE, message)


def info(message: str) -> None:
    say(INFO, message)


def debug(message: str) -> None:
    say(DEBUG, message)
