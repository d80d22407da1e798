"""Tags: hard links of a time range of a cache, under a name, which retention leaves alone.

    tags/NAME/CHANNEL/START.avro, .idx      the segments that overlap the range
    tags/NAME/tag.json                      written last: a tag without it was not finished, and a second run completes it

A tag is laid out like a cache, so it is read like one.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Sequence
from typing import Any

from sptools import errors, instant
from sptools.cache import layout
from sptools.cache.layout import INDEX, SEGMENT, TAGS
from sptools.cache.read import chosen, find

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
FACTS = "tag.json"


def add(
    cache: str, name: str, since: int | None = None, until: int | None = None, channels: Sequence[str] = (), note: str = ""
) -> dict[str, Any]:
    """Tags the segments of `channels` (globs; none: all) that overlap [since, until), ns UTC. Returns the tag's facts.

    Where the tag is there already, unfinished or for the same range and channels, its links are made complete.
    """
    folder = _folder(cache, name)
    asked = {
        "since": None if since is None else instant.format(since), "until": None if until is None else instant.format(until),
        "asked": list(channels),
    }  # fmt: skip
    before = _facts(folder)
    if before and any(before.get(key) != value for key, value in asked.items()):
        raise errors.Usage(f"the tag {name} is there, for another range: choose another name, or remove it first")
    segments = overlapping(cache, since, until, channels)
    if not segments:
        raise errors.NoInput(f"{cache} holds nothing in that range to be tagged")
    try:
        linked = [s for s in segments if _link(s, os.path.join(folder, s.channel))]
        links = layout.segments(folder)
        facts = {
            "name": name, "note": note or (before or {}).get("note", ""), **asked,
            "channels": {c: sum(s.channel == c for s in links) for c in sorted({s.channel for s in links})},
            "bytes": sum(os.stat(s.path).st_size for s in links), "missed": len(segments) - len(linked),
        }  # fmt: skip
        _write(folder, facts)
    except PermissionError as e:
        raise errors.NoPermission(f"{e.filename} may not be written: {e.strerror}") from e
    except OSError as e:
        raise errors.CannotCreate(f"{e.filename or folder}: a hard link cannot be made: {e.strerror}") from e
    return facts


def remove(cache: str, name: str) -> None:
    """Takes the protection away; what retention has not deleted in the cache stays there."""
    folder = _folder(cache, name)
    if not os.path.isdir(folder):
        raise errors.NoInput(f"{cache} has no tag {name}: it has {', '.join(t['name'] for t in listing(cache)) or 'none'}")
    try:
        if os.path.exists(os.path.join(folder, FACTS)):
            os.unlink(os.path.join(folder, FACTS))  # first: half a tag is not to be taken for a whole one
        shutil.rmtree(folder)
    except OSError as e:
        raise errors.CannotCreate(f"{folder} cannot be removed: {e.strerror}") from e


def listing(cache: str) -> list[dict[str, Any]]:
    """The facts of each tag; of one that was not finished only its name and `unfinished`."""
    try:
        names = sorted(os.listdir(os.path.join(cache, TAGS)))
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        folder = os.path.join(cache, TAGS, name)
        if NAME.fullmatch(name) and os.path.isdir(folder):
            found.append(_facts(folder) or {"name": name, "unfinished": True})
    return found


def overlapping(cache: str, since: int | None, until: int | None, channels: Sequence[str] = ()) -> list[layout.Segment]:
    """The segments of these channels that may hold records of [since, until). One without an index counts as a whole."""
    return [part.segment for part in find(chosen(cache, channels), since, until)]


def _folder(cache: str, name: str) -> str:
    if not NAME.fullmatch(name):
        raise errors.Usage(f"{name!r} cannot name a tag: letters, digits, _, . and -, the first a letter or digit")
    if not os.path.isdir(cache):
        raise errors.NoInput(f"{cache} is not a cache: there is no such folder")
    return os.path.join(cache, TAGS, name)


def _link(segment: layout.Segment, folder: str) -> bool:
    """The segment under its final name, also where it is still open: it is the same file when it is closed."""
    os.makedirs(folder, exist_ok=True)
    # the index first: a segment never stands there without one
    for path, suffix in ((segment.index_path, INDEX), (segment.path, SEGMENT)):
        target = os.path.join(folder, segment.stem + suffix)
        try:
            os.link(path, target)
        except FileExistsError:
            continue
        except FileNotFoundError:
            closed = os.path.join(segment.folder, segment.stem + SEGMENT)
            if suffix == SEGMENT and path != closed and os.path.exists(closed):
                os.link(closed, target)  # it was closed meanwhile
            elif suffix == SEGMENT:
                return False  # retention was quicker
        except OSError as e:
            if e.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                e.filename = target
            raise
    return True


def _facts(folder: str) -> dict[str, Any] | None:
    try:
        with open(os.path.join(folder, FACTS), encoding="utf-8") as file:
            facts = json.load(file)
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and "name" in facts else None


def _write(folder: str, facts: dict[str, Any]) -> None:
    path = os.path.join(folder, FACTS)
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=1, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".part", path)
    layout.sync(folder)
