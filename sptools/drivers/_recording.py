"""What a recording on disk is: where its samples lie and what is known of them."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from sptools.errors import IOFailure, NoInput, NoPermission, SpError, Usage

# What people call these, → SigMF's names. A float's or a 16-bit sample's byte order is this machine's: little-endian.
ALIASES = {
    "u8": "cu8", "s8": "ci8", "cs8": "ci8", "s16": "ci16_le", "cs16": "ci16_le", "ci16": "ci16_le", "sc16": "ci16_le",
    "cf32": "cf32_le", "fc32": "cf32_le", "cfile": "cf32_le", "f32": "cf32_le",
}  # fmt: skip
SIZES = {"cu8": 2, "ci8": 2, "ci16_le": 4, "cf32_le": 8, "ci16_be": 4, "cf32_be": 8}


class Segment(NamedTuple):
    """Consecutive samples of a recording: `length` of them from byte `place` on; None: to the end of the file.

    `sample`: index of the first one; `time`: ns UTC or None; `freq`: Hz, None unknown.
    """

    place: int
    length: int | None
    sample: int = 0
    time: int | None = None
    freq: float | None = None


class Recording(NamedTuple):
    """`datatype` as stored (a big-endian one is turned on reading); `rate` None: nobody says."""

    path: str
    datatype: str
    rate: float | None
    segments: list[Segment]
    end: int | None = None  # byte where the samples end; None: the end of the file


def open_file(path: str) -> tuple[int, int | None]:
    """File descriptor and size in bytes; None where there is no size, as with a pipe. `-` is standard input."""
    try:
        handle = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise refusal(path, error) from None
    facts = os.fstat(handle)
    if stat.S_ISDIR(facts.st_mode):
        os.close(handle)
        raise Usage(f"{path} is a folder: name a recording in it")
    return handle, facts.st_size if stat.S_ISREG(facts.st_mode) else None


def check_exists(path: str) -> None:
    """NoInput where there is no such file. Looks only: a FIFO's writer would notice that it was opened."""
    try:
        if path != "-":
            os.stat(path)
    except OSError as error:
        raise refusal(path, error) from None


def refusal(path: str, error: OSError) -> SpError:
    """The failure of a system call on a file, as ours."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NoInput(f"{path}: no such file")
    if isinstance(error, PermissionError):
        return NoPermission(f"{path}: not readable for this user")
    return IOFailure(f"{path}: {error.strerror or error}")


def read_whole(path: str, limit: int) -> bytes:
    """A small file; a longer one than `limit` is refused before it is read."""
    handle, size = open_file(path)
    with os.fdopen(handle, "rb") as file:
        if size is not None and size > limit:
            raise Usage(f"{path} has {size} bytes, more than {limit}: that is no metadata")
        try:
            return file.read(limit)
        except OSError as error:
            raise refusal(path, error) from None


def raw_type(path: str, datatype: str | None) -> str:
    """The datatype of raw samples, by name or by the file's suffix."""
    name = datatype or os.path.splitext(path)[1][1:].lower()
    name = ALIASES.get(name, name)
    if name not in SIZES:
        what = f"{datatype} is not a type of IQ samples" if datatype else f"{path} does not say what its samples are"
        raise Usage(f"{what}: put one of cu8, ci8, ci16_le, cf32_le before it, like cu8:{path},rate=2.4M")
    return name
