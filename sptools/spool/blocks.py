"""Who the blocks of a spool's files are: found by their framing, the payload is not looked at."""

from __future__ import annotations

import os
from typing import NamedTuple

from sptools import errors, record
from sptools.formats.avro import container, varint
from sptools.formats.avro.container import MARKER, Header
from sptools.formats.avro.scan import Block, scan
from sptools.formats.avro.scan import Long as LongBlock
from sptools.transports.file import Input

Key = tuple[str, bytes]
NUMBERED = ("IQ", "Audio")  # their `sample` shows what is missing; of others a header must tell


class Entry(NamedTuple):
    """One block as the cursor found it: where it ends, and who it is."""

    segment: int
    end: int
    key: Key
    number: int
    rows: int  # 0 where `sample` tells
    lost: int  # rows that its header says are missing before it


class Segment:
    """One file: `size` bytes of whole blocks are in it."""

    def __init__(self, folder: str, number: int, size: int = 0):
        self.path = os.path.join(folder, f"{number:012d}.avro")
        self.number, self.size = number, size


class Follow:
    """Says of each block of a segment who it is, as headers and blocks come by."""

    def __init__(self, segment: int):
        self.segment = segment
        self.header: Header | None = None

    def head(self, header: Header) -> record.Start:
        start = container.start_of(header)
        self.header, self.key, self.number = header, (start.channel, start.boot), start.first
        self.told, self.lost = start.name in NUMBERED, start.lost
        return start

    def block(self, end: int, count: int) -> Entry:
        entry = Entry(self.segment, end, self.key, self.number, 0 if self.told else count, self.lost)
        self.number, self.lost = self.number + 1, 0
        return entry


def entries_of(segment: Segment, begin: int) -> list[Entry]:
    """The whole blocks of a segment that end behind `begin`."""
    found: list[Entry] = []
    source = Input(segment.path)
    follow = Follow(segment.number)
    try:
        for event in scan(source):
            if isinstance(event, Header):
                follow.head(event)
            elif isinstance(event, Block | LongBlock):
                # framing: two numbers, the payload, the marker
                ahead = len(varint.encode(event.count)) + len(varint.encode(event.size))
                found.append(follow.block(event.offset + ahead + event.size + MARKER, event.count))
            else:
                break  # damage, or the tail
            del event
    except (errors.BadData, errors.NoInput):
        pass
    finally:
        source.close()
    return [entry for entry in found if begin < entry.end <= segment.size]
