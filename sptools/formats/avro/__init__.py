"""Avro object containers on any byte stream: the format that sptools speaks between its tools.

Block by block: a sample block is written and read without a copy of its samples. Containers may follow one another. Any
Avro library reads what is written here, and what any Avro library writes is read: codecs null, deflate and zstandard.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from sptools import errors, record
from sptools.formats.avro.container import MAGIC
from sptools.formats.avro.reader import read as _read
from sptools.formats.avro.scan import scan
from sptools.formats.avro.window import Source
from sptools.formats.avro.writer import Sink, Target
from sptools.units import File, Hertz, Name, Rate, Seconds

__all__ = ["Sink", "first_bytes_are_container", "read", "read_datagrams", "scan", "write", "write_datagrams"]


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


def read_datagrams(
    input: Any,
    *,
    wire: Literal["frame", "bare", "raw"] = "frame",
    schema: File | None = None,
    channel: Name | None = None,
    rate: Rate | None = None,
    datatype: Name | None = None,
    freq: Hertz | None = None,
) -> Any:
    """Frames of any number of channels, each turn from one to another a new `Start`.

    Frames are put in order; a repeated one is left out, a lost one counted and shown: `sample` jumps, or a `Start` says
    how many were lost. The result iterates over the items, and its `notes` count.

    Settings:
        wire: frame, or one bare datum a datagram, which needs a schema, or raw samples, which need a rate and a datatype
        schema: file with the Avro schema of bare data
        channel: name of a channel of bare data or raw samples
        rate: samples/s of raw samples
        datatype: what raw samples are, such as cu8 or ri16_le
        freq: centre frequency of raw IQ
    Source: Avro 1.11 specification, single-object encoding.
    """
    from sptools.formats.avro.receiver import Bare, Receiver

    if wire == "raw":
        from sptools.formats.avro.samples import reader

        if schema:
            raise errors.Usage(f"{input.name}: schema= is for wire=bare; raw samples have none")
        return reader(input, rate, datatype, freq, channel or "")
    if rate or datatype or freq is not None:
        raise errors.Usage(f"{input.name}: rate=, datatype= and freq= are for wire=raw; frames and rows bring their own")
    if wire == "frame":
        if schema or channel:
            raise errors.Usage(f"{input.name}: schema= and channel= are for wire=bare; frames bring their own")
        return Receiver(input)
    if not schema:
        raise errors.Usage(f"{input.name}: wire=bare needs schema=FILE, for bare data do not say what they are")
    return Bare(input, load_schema(schema), channel or "")


def write_datagrams(
    output: Any, *, wire: Literal["frame", "bare", "raw"] = "frame", linger: Seconds = 0.02, channel: Name | None = None
) -> Any:
    """A frame a datagram, each channel announced at first and once a second.

    Samples go out at once, as many datagrams as they need. Rows and messages wait for a full datagram, at most `linger`.

    Settings:
        wire: frame; or one bare datum a datagram without announcements, for receivers that know the schema; or raw, the
            bytes of samples and nothing else
        linger: how long a row may wait for others to share its datagram
        channel: name of a channel that has none
    Source: Avro 1.11 specification, single-object encoding.
    """
    from sptools.formats.avro.sender import Sink

    if wire == "raw":
        from sptools.formats.avro.samples import Sink as Samples

        if channel:
            raise errors.Usage(f"{output.name}: channel= is for frames; raw samples name none")
        return Samples(output)
    return Sink(output, linger=linger, bare=wire == "bare", channel=channel)


def load_schema(path: str) -> Any:
    """The checked schema of a file."""
    from sptools.formats.avro.schema import parse

    try:
        with open(path, "rb") as file:
            return parse(file.read(1 << 22))
    except OSError as error:
        raise errors.NoInput(f"schema={path}: {error.strerror}") from None


def first_bytes_are_container(data: bytes) -> bool:
    """Whether a stream that begins with `data` (4 bytes or more) is one of ours."""
    return data[:4] == MAGIC
