"""Containers → records. What is damaged is skipped, counted, and reported once the rest has been delivered."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from sptools import codecs, errors, limits, record
from sptools.formats.avro import container, decode
from sptools.formats.avro import schema as schemas
from sptools.formats.avro.container import Broken, Header
from sptools.formats.avro.scan import Block, Damage, Long, Tail, scan
from sptools.formats.avro.window import Source

WRONG = (IndexError, ValueError, KeyError, struct.error)  # what decode raises where a record is not one
NUMBERED = ("IQ", "Audio", "Spectrum")  # their `sample` shows a gap; of others a new Start has to tell


class Faults:
    """What was skipped: the first place in full, the rest as sums."""

    def __init__(self, name: str):
        self.name = name
        self.bytes = self.blocks = self.places = 0
        self.first: tuple[int, str] = (0, "")

    def add(self, offset: int, size: int, blocks: int, why: str) -> None:
        if not self.places:
            self.first = (offset, why)
        self.places += 1
        self.bytes += size
        self.blocks += blocks

    def error(self) -> errors.BadData:
        places = "1 place is" if self.places == 1 else f"{self.places:,} places are"
        blocks = "1 block" if self.blocks == 1 else f"{self.blocks:,} blocks"
        return errors.BadData(
            f"{self.name}: {places} damaged, {self.bytes:,} bytes with at least {blocks} were skipped; the first at byte "
            f"{self.first[0]:,}: {self.first[1]}. The rest was delivered: fetch the data again, or go on with that"
        )


def read(source: Source, faults: Faults | None = None) -> Iterator[record.Item]:
    """`Start` and records of one container after another. Raises BadData at the end if anything was damaged.

    `faults`: takes note of each damaged place, for who wants more than the sum.
    """
    faults = faults or Faults(source.name)
    stream: _Stream | None = None
    for event in scan(source):
        if isinstance(event, Block):
            assert stream is not None
            item = stream.usual(event)
            if item is None:
                yield from stream.block(event)
            else:
                del event  # a block's buffer is used again once nobody holds it
                yield item
                continue
        elif isinstance(event, Header):
            try:
                stream = _Stream(event, faults)
            except errors.BadData as e:
                faults.add(event.offset, event.size, 0, str(e))
                stream = _Nothing(event, faults)
            yield stream.start
        elif isinstance(event, Damage):
            faults.add(event.offset, event.size, event.blocks, event.why)
            if stream:
                stream.missed(event.blocks)
        elif isinstance(event, Long):
            assert stream is not None
            yield from stream.long(event)
        else:
            assert stream is not None
            yield from stream.tail(event)
        del event
    if faults.places:
        raise faults.error()


class _Stream:
    """One container: how its blocks are decoded, and the number of the next one."""

    def __init__(self, header: Header, faults: Faults):
        self.start = container.start_of(header)
        self._header, self._faults = header, faults
        self._next = self.start.first
        self._lost = 0
        self._name, same = schemas.which_built_in(header.schema)
        self._samples = decode.Samples(self._name) if same and self._name in ("IQ", "Audio") else None
        self._plain = self._samples if header.codec == "null" else None
        self._rows = None
        if not same:
            from sptools.formats.avro import rows

            target = schemas.built_in(self._name) if self._name else None
            self._rows = rows.Decoder(header.schema, header.extent, target)

    def missed(self, blocks: int) -> None:
        """Blocks that were lost before the next one."""
        self._next += blocks
        if self._name not in NUMBERED:
            self._lost += blocks

    def usual(self, block: Block) -> record.IQ | None:
        """One record of plain samples, without a generator: what a pipe carries by the thousand. None: not that."""
        if self._plain and block.count == 1:
            try:
                item, end = self._plain.one(block.payload, 0)
            except WRONG:
                return None
            if end == block.size:
                self._next += 1
                return item
        return None

    def block(self, block: Block) -> Iterator[record.Item]:
        try:
            payload = codecs.expand(self._header.codec, block.payload)
            if not isinstance(payload, memoryview):
                payload = memoryview(payload)
        except errors.BadData as e:
            self._bad(block, str(e))
            return
        if self._lost:
            yield self._again()
        self._next += 1
        yield from self._decode(payload, block.count, block)

    def long(self, block: Long) -> Iterator[record.Item]:
        if self._lost:
            yield self._again()
        self._next += 1
        try:
            if self._samples:
                yield from self._long_samples(block)
            elif self._rows:
                from sptools.formats.avro import rows

                for some in rows.of_long(self._rows, block):
                    yield from self._ours(some)
            else:
                block.why = f"a block of {block.size:,} bytes of {self._name}"
        except Broken as e:
            block.why = block.why or str(e.args[0])
        except WRONG as e:
            block.why = f"a block is not {self._name}: {e}"

    def tail(self, tail: Tail) -> Iterator[record.Item]:
        """Whole records of a cut-off block."""
        if self._lost:
            yield self._again()
        done = 0
        if self._rows:
            from sptools.formats.avro import rows

            for some in rows.of_tail(self._rows, tail.payload):
                done += some.count
                yield from self._ours(some)
        else:
            try:
                for item in self._each(tail.payload, tail.count):
                    done += 1
                    yield item
            except WRONG:
                pass
        size = len(tail.payload)
        self._faults.add(tail.offset, size, 1, f"the stream ends inside a block, after {done:,} whole records of it")

    def _decode(self, payload: memoryview, count: int, block: Block) -> Iterator[record.Item]:
        if self._rows:
            from sptools.formats.avro import rows

            if count == 0 and not payload:
                return
            for item in rows.of_block(self._rows, payload, count, lambda why: self._bad(block, why, counted=True)):
                yield from self._ours(item)
            return
        try:
            yield from self._each(payload, count, strict=True)
        except WRONG as e:
            self._bad(block, f"a block is not {self._name}: {e}", counted=True)

    def _each(self, payload: memoryview, count: int, strict: bool = False) -> Iterator[record.Item]:
        one: Any = self._samples.one if self._samples else decode.spectrum if self._name == "Spectrum" else decode.message
        data = bytes(payload) if self._name == "Message" else payload
        pos = 0
        for _ in range(count):
            item, pos = one(data, pos)
            yield item
        if strict and pos != len(payload):
            raise ValueError("bytes follow the last record")

    def _long_samples(self, block: Long) -> Iterator[record.Item]:
        """Samples of a block that is too long to be held, in pieces of about 256 KiB with their own time."""
        assert self._samples
        rest = b""
        for _ in range(block.count):
            if block.left:
                rest += bytes(block.read(max(0, decode.HEAD - len(rest))))
            *of, at, size = self._samples.head(memoryview(rest), 0)
            rest = rest[at:]
            if size > len(rest) + block.left:
                raise ValueError("the samples are longer than their block")
            frame, done = self._samples.frame, 0
            piece = max(frame, limits.PIECE // frame * frame)
            while done < size:
                n = min(piece, size - done)
                if rest:  # the first piece lies half in what was read with the head
                    data = memoryview(rest[:n])
                    if len(data) < n:
                        data = memoryview(bytes(data) + bytes(block.read(n - len(data))))
                    rest = rest[n:]
                else:
                    data = block.read(n)
                yield self._samples.piece(tuple(of), done, data)  # type: ignore[arg-type]
                done += n
        if block.left or rest:
            raise ValueError("bytes follow the last record")

    def _ours(self, item: record.Rows) -> Iterator[record.Item]:
        """Rows of another version of our schemas, resolved to ours, become our records."""
        if not self._name:
            yield item
            return
        make = record.BUILT_IN[self._name]
        for value in item.values:
            try:
                made = make(**value)
                _checked(made)
            except (TypeError, *WRONG) as e:
                self._faults.add(0, 0, 0, f"a record is not {self._name}: {e}")
                continue
            yield made

    def _again(self) -> record.Start:
        """A new beginning that says what was lost before it."""
        start = container.start_of(self._header)
        start.first, start.lost, self._lost = self._next, self._lost, 0
        return start

    def _bad(self, block: Block, why: str, counted: bool = False) -> None:
        self._faults.add(block.offset, block.size, 1, why)
        self.missed(1)
        self._next -= counted


class _Nothing(_Stream):
    """A container whose schema passes our bounds and fastavro still refuses: its blocks are skipped and counted."""

    def __init__(self, header: Header, faults: Faults):
        self.start = container.start_of(header)
        self._faults = faults
        self._plain = None

    def missed(self, blocks: int) -> None: ...

    def block(self, block: Block) -> Iterator[record.Item]:
        self._faults.add(block.offset, block.size, 1, "a block of a schema that is not understood")
        return iter(())

    def long(self, block: Long) -> Iterator[record.Item]:
        self._faults.add(block.offset, block.size, 1, "a block of a schema that is not understood")
        return iter(())

    def tail(self, tail: Tail) -> Iterator[record.Item]:
        self._faults.add(tail.offset, len(tail.payload), 1, "the stream ends inside a block")
        return iter(())


def _checked(item: record.IQ | record.Spectrum | record.Message) -> None:
    """What decode checks of our own encoding, for records that came another way."""
    if isinstance(item, record.Message):
        return
    frame = record.sample_size(item.datatype) * getattr(item, "channels", 1)
    rate = float(item.rate)
    if not 0 < rate < float("inf") or frame <= 0 or record.nbytes(item.data) % frame:
        raise ValueError(f"{record.nbytes(item.data)} bytes of {item.datatype} at a rate of {rate}")
