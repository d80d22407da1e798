"""Avro object containers on any byte stream: the format that sptools speaks between its tools.

Block by block: a sample block is written and read without a copy of its samples. Containers may follow one another. Any
Avro library reads what is written here, and what any Avro library writes is read: codecs null, deflate and zstandard.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sptools import record
from sptools.formats.avro.container import MAGIC
from sptools.formats.avro.reader import read as _read
from sptools.formats.avro.scan import scan
from sptools.formats.avro.window import Source
from sptools.formats.avro.writer import Sink, Target

__all__ = ["Sink", "first_bytes_are_container", "read", "scan", "write"]


def read(input: Source) -> Iterator[record.Item]:
    """Containers of one or more channels.

    Yields `Start`, then its records, then perhaps more of both. A record's data is a view of the buffer it was read into;
    it stays valid while it is held, and costs that buffer (about 256 KiB) meanwhile: keep a copy, not the view, of what is
    to be kept long. Damage is skipped; BadData at the end says what and where. NoInput: there was nothing at all.

    Examples:
        sp-capture sim:tone,pace=0 --duration 0.2s | sp-cat --info
    Source: Avro 1.11 specification, object container files.
    """
    return _read(input)


def write(output: Target, *, codec: Literal["null", "deflate", "zstandard"] = "null") -> Sink:
    """A container for each `Start`.

    IQ, audio and spectra go out at once, a block each; messages and rows are gathered up to 64 KiB or until `flush`.

    Settings:
        codec: how blocks are compressed: telemetry and messages gain much, samples little
    Examples:
        sp-capture sim:telemetry,pace=0 --duration 1s -o rows.avro,codec=zstandard
    Source: Avro 1.11 specification, object container files.
    """
    return Sink(output, codec)


def first_bytes_are_container(data: bytes) -> bool:
    """Whether a stream that begins with `data` (4 bytes or more) is one of ours."""
    return data[:4] == MAGIC
