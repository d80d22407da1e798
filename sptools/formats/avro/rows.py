"""Rows of schemas that are not ours: the door of fastavro, imported when the first such row appears."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sptools import errors, limits, record
from sptools.formats.avro import schema as schemas
from sptools.formats.avro.container import Broken
from sptools.formats.avro.scan import Long

RETRY = 4  # a row of a long block that the bytes at hand do not hold: that many times more


class Metered(io.BytesIO):
    """A body that ends a row after `left` bytes, before they have all become objects."""

    left = 0

    def read(self, n: int | None = -1) -> bytes:
        data = super().read(n)
        self.left -= len(data)
        if self.left < 0:
            raise ValueError("the row is longer than what is decoded at once")
        return data


class Decoder:
    """Bodies of one schema → dicts. Logical types stay what they are encoded as: times are integers.

    `target`: our own schema, into which another version's rows are resolved.
    """

    def __init__(self, schema: Any, extent: schemas.Extent, target: dict | None = None):
        import fastavro

        try:
            self._schema = fastavro.parse_schema(schemas.plain(schema))
            self._target = fastavro.parse_schema(schemas.plain(target)) if target else None
        except Exception as e:  # fastavro raises a dozen kinds; all of them mean the same here
            raise errors.BadData(f"the schema is not understood: {str(e)[:100]}") from e
        self._read = fastavro.schemaless_reader
        self.at_once = max(1, min(limits.EMPTY_ROWS, limits.DECODED // extent.weight))
        # bytes of a row with lists in it, so that a few bytes do not become gigabytes of small objects
        self.row_limit = min(limits.BLOCK, int(limits.DECODED / extent.swell)) if extent.swell else limits.BLOCK

    def some(self, fo: io.BytesIO, count: int) -> list[dict]:
        """The next `count` rows. Raises Broken; what was read before it is in its `args[1]`."""
        rows: list = []
        try:
            for _ in range(count):
                if isinstance(fo, Metered):
                    fo.left = self.row_limit
                rows.append(self._read(fo, self._schema, self._target))  # type: ignore[arg-type]
        except RecursionError:
            raise
        except Exception as e:
            raise Broken(f"a row is not what the schema says: {type(e).__name__} {str(e)[:80]}", rows) from e
        return rows


def of_block(
    decoder: Decoder, payload: memoryview | bytes, count: int, report: Callable[[str], None]
) -> Iterator[record.Rows]:
    """A block's rows: undecoded if they are few, else decoded some at a time. `report` hears what is wrong with them."""
    if count <= decoder.at_once and len(payload) <= decoder.row_limit:
        yield record.Rows(body=payload, count=count, decode=lambda body, n: _all(decoder, body, n, report))
        return
    fo = io.BytesIO(payload) if len(payload) <= decoder.row_limit else Metered(payload)
    left = count
    while left:
        n = min(left, decoder.at_once)
        try:
            values = decoder.some(fo, n)
        except Broken as e:
            if e.args[1]:
                yield record.Rows(e.args[1])
            report(e.args[0])
            return
        left -= n
        yield record.Rows(values)
    if fo.tell() != len(payload):
        report("a block has bytes after its last row")


def _all(decoder: Decoder, body: memoryview | bytes, count: int, report: Callable[[str], None]) -> list[dict]:
    fo = io.BytesIO(body)
    try:
        values = decoder.some(fo, count)
    except Broken as e:
        report(e.args[0])
        return e.args[1]
    if fo.tell() != len(body):
        report("a block has bytes after its last row")
    return values


def of_tail(decoder: Decoder, payload: memoryview) -> Iterator[record.Rows]:
    """The whole rows of a block that was cut off."""
    fo = Metered(payload)
    while fo.tell() < len(payload):
        try:
            yield record.Rows(decoder.some(fo, decoder.at_once))
        except Broken as e:
            if e.args[1]:
                yield record.Rows(e.args[1])
            return


def of_long(decoder: Decoder, block: Long) -> Iterator[record.Rows]:
    """The rows of a block that is too long to be held. Raises Broken."""
    left, rest, more = block.count, b"", limits.MiB
    while left:
        if block.left:
            rest += bytes(block.read(more))
        fo = Metered(rest)
        good = 0
        values: list[dict] = []
        while len(values) < min(left, decoder.at_once):
            try:
                values += decoder.some(fo, 1)
            except Broken:
                break
            good = fo.tell()
        if not values and (not block.left or len(rest) > decoder.row_limit):
            raise Broken("a row is not what the schema says, or longer than what is held")
        more = limits.MiB if values else min(RETRY * len(rest), limits.BLOCK)
        rest, left = rest[good:], left - len(values)
        if values:
            yield record.Rows(values)
    if block.left or rest:
        raise Broken("a block has bytes after its last row")


def encode(schema: Any) -> Callable[[Iterable[dict]], bytes]:
    """A function from rows to a body. It raises BadData with the row that does not fit the schema."""
    import fastavro

    try:
        parsed = fastavro.parse_schema(schemas.plain(schema))
    except Exception as e:
        raise errors.BadData(f"the schema is not understood: {str(e)[:100]}") from e

    def body(values: Iterable[dict]) -> bytes:
        fo = io.BytesIO()
        for value in values:
            try:
                fastavro.schemaless_writer(fo, parsed, value)
            except Exception as e:
                raise errors.BadData(f"the row {str(value)[:100]} does not fit its schema: {str(e)[:100]}") from e
        return fo.getvalue()

    return body
