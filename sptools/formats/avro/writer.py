"""Records → containers. Samples are written where they lie; small records wait for company, at most until `flush`."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Protocol

from sptools import codecs, errors, limits, record
from sptools.formats.avro import container, encode, varint
from sptools.formats.avro import schema as schemas


class Target(Protocol):
    """Where bytes go. One that keeps blocks apart (a spool, a server) also has

    `begin(key, make, first, lost)`: a container begins; `make(first, lost)` gives its header, for any first block
    `block(number, rows, *buffers)`: one whole block of it; `rows` are lost with it, 0 where `sample` tells
    """

    name: str

    def write(self, *buffers: Any) -> None: ...

    def close(self, ok: bool = True) -> None: ...


class Sink:
    """A `Start` begins a container; its header is written at once, so that a reader sees what is coming.

    Blocks are numbered on for each channel and boot, whatever lies between.
    """

    def __init__(self, output: Target, codec: str = "null"):
        if not codecs.known(codec):
            raise errors.Usage(f"codec {codec!r} is not known: use one of {', '.join(codecs.NAMES)}")
        self._output, self._codec = output, codec
        self._boot = os.urandom(8)  # for sources that have none
        # of each channel and boot: the number of the next block that we write, and of the next item that comes
        self._numbers: dict[tuple[str, bytes], tuple[int, int]] = {}
        self._key: tuple[str, bytes] = ("", b"")
        self._marker = b""
        self._number = self._came = 0
        self._apart: Any = output if hasattr(output, "begin") else None
        self._schema: Any = None
        self._samples = encode.Samples()
        self._rows: Any = None  # rows → body, made when the first row comes
        self._messages = encode.Messages()
        self._gathered = bytearray()
        self._count = 0

    @property
    def notes(self) -> dict[str, int]:
        """What the output counted."""
        return getattr(self._output, "notes", {})

    def put(self, item: record.Item) -> None:
        self._came += 1
        if isinstance(item, record.IQ):
            data = item.data
            size = record.nbytes(data)
            self._block(self._samples.head(item, size), data, size)
        elif isinstance(item, record.Message):
            self._messages.add(item)
            if self._messages.size >= limits.GATHER:
                self.flush()
        elif isinstance(item, record.Rows):
            self._put_rows(item)
        elif isinstance(item, record.Spectrum):
            size = record.nbytes(item.data)
            self._block(encode.spectrum(item, size), item.data, size, 1)
        else:
            self._begin(item)

    def flush(self) -> None:
        """Writes the rows that were gathered."""
        if self._messages.count:
            messages, self._messages = self._messages, encode.Messages()
            self._gather(messages.body(), messages.count)
        if not self._count:
            return
        body, count = self._gathered, self._count
        self._gathered, self._count = bytearray(), 0
        payload = codecs.compress(self._codec, body)
        self._out(count, varint.encode(count) + varint.encode(len(payload)), payload, self._marker)

    def close(self, ok: bool = True) -> None:
        try:
            self.flush()
        except BaseException:
            self._output.close(False)
            raise
        self._output.close(ok)

    def _begin(self, start: record.Start) -> None:
        self.flush()
        self._numbers[self._key] = self._number, self._came - 1
        if not start.boot:
            start = replace(start, boot=self._boot)
        self._key = (start.channel, start.boot)
        # A loss leaves a hole in the numbers, so that the gap shows also without sptools.lost. Rows that were gathered
        # leave none: several items became one block.
        number, came = self._numbers.get(self._key, (start.first, start.first))
        first = number + max(start.first - came, start.lost if self._key in self._numbers else 0, 0)
        self._number, self._came = first, max(start.first, came)
        name, _ = schemas.which_built_in(start.schema)
        schema = schemas.built_in(name) if name else start.schema
        if schema != self._schema:
            schemas.validate(schema)  # nobody could read it otherwise
            self._schema, self._rows = schema, None
        self._marker = marker = os.urandom(container.MARKER)

        def make(first: int, lost: int) -> bytes:
            return container.encode(schema, self._codec, marker, container.meta_of(replace(start, lost=lost), first))

        if self._apart:
            self._apart.begin(self._key, make, first, start.lost)
        else:
            self._output.write(make(first, start.lost))

    def _out(self, rows: int, *buffers: Any) -> None:
        """One block, whole."""
        if self._apart:
            self._apart.block(self._number, rows, *buffers)
        else:
            self._output.write(*buffers)
        self._number += 1

    def _block(self, head: bytes, data: Any, size: int, rows: int = 0) -> None:
        """One record, one block."""
        if self._count or self._messages.count:
            self.flush()
        if self._codec == "null":
            total = len(head) + size
            self._out(rows, b"\2" + varint.encode(total) + head, data, self._marker)
        else:
            if size + len(head) > limits.EXPANDED:
                raise errors.BadData(
                    f"{self._output.name}: a block of {size:,} bytes cannot be compressed, for no reader expands more than "
                    f"{limits.EXPANDED:,}: use shorter blocks, or codec=null"
                )
            payload = codecs.compress(self._codec, b"".join((head, data)))
            self._out(rows, b"\2" + varint.encode(len(payload)), payload, self._marker)

    def _put_rows(self, rows: record.Rows) -> None:
        if rows.body is not None:
            self._gather(rows.body, rows.count)
            return
        if self._rows is None:
            from sptools.formats.avro.rows import encode as encoder

            self._rows = encoder(self._schema)
        values = rows.values
        for i in range(0, len(values), 1024):
            some = values[i : i + 1024]
            self._gather(self._rows(some), len(some))

    def _gather(self, body: bytes | memoryview, count: int) -> None:
        if self._count and len(self._gathered) + len(body) > limits.GATHER:
            self.flush()
        self._gathered += body
        self._count += count
        if len(self._gathered) >= limits.GATHER or self._count >= limits.EMPTY_ROWS:
            self.flush()
