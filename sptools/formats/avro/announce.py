"""An announcement: an empty container header that tells, once a second, what a channel's frames hold.

`sptools.first` in it is the number of the next frame: who has not seen all before it knows how many are lost.
"""

from __future__ import annotations

from sptools import errors, record
from sptools.formats.avro import container, frame
from sptools.formats.avro import schema as schemas
from sptools.formats.avro.container import MAGIC as MAGIC
from sptools.formats.avro.window import Window

MOST = 60_000  # bytes
MARKER = bytes(16)  # no block follows that it could end


def encode(start: record.Start, first: int) -> bytes:
    """The datagram. Raises BadConfig where the schema is too long for one."""
    data = container.encode(start.schema, "null", MARKER, container.meta_of(start, first))
    if len(data) > MOST:
        raise errors.BadConfig(
            f"channel {start.channel or '(unnamed)'}: its schema and metadata take {len(data):,} bytes, and a datagram that "
            f"announces them at most {MOST:,}: leave out documentation or fields, or send it over a pipe or a file"
        )
    return data


def decode(datagram: bytes) -> tuple[container.Header, record.Start]:
    """Header and start; raises BadData or container.Broken where it is none."""
    header = container.parse(Window(_Bytes(datagram)))
    if header.size != len(datagram):
        raise container.Broken("bytes follow the header")
    start = container.start_of(header)
    if not start.boot or not frame.is_channel(start.channel):
        raise container.Broken("the header names no channel and boot")
    return header, start


def schema_of(header: container.Header) -> bytes:
    """The id by which frames name the schema."""
    return schemas.schema_id(header.schema)


class _Bytes:
    """What a window reads from."""

    name = "an announcement"

    def __init__(self, data: bytes):
        self._left = memoryview(data)

    def readinto(self, view: memoryview) -> int:
        n = min(len(view), len(self._left))
        view[:n], self._left = self._left[:n], self._left[n:]
        return n
