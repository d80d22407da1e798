"""The bounded block scanner: any byte stream → headers, blocks undecoded, and the places where it is damaged.

Nothing is believed before it is checked: a block's marker is looked at before anybody sees the block. After damage the
scanner goes on at the next marker of this container or at the next header, whichever comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sptools import errors, limits
from sptools.formats.avro import container, varint
from sptools.formats.avro.container import MAGIC, MARKER, Broken, CutOff, Header
from sptools.formats.avro.window import SMALL, Source, Window

FRAMING = 20  # two numbers of up to 10 bytes before a block's payload
PATIENCE = 1000  # false headers that are retried byte by byte; more of them is an attack


class Unmarked(Broken):
    """A block whose marker is damaged and nothing else; the position is behind it, where the next block begins."""


class Block(NamedTuple):
    """A whole block: `offset` of its first byte, `count` rows, `size` and view of the payload as it is stored."""

    offset: int
    count: int  # type: ignore[assignment]  # a tuple has a method of that name
    size: int
    payload: memoryview


class Tail(NamedTuple):
    """What is there of a `null` block at which the stream was cut off. `count` and `size` are what it promised."""

    offset: int
    count: int  # type: ignore[assignment]  # a tuple has a method of that name
    size: int
    payload: memoryview


class Damage(NamedTuple):
    """`size` bytes from `offset` were skipped, with at least `blocks` blocks in them. `why` is about the first."""

    offset: int
    size: int
    blocks: int
    why: str


class Long:
    """A `null` block of more than limits.BLOCK, read in pieces. What is not read is skipped."""

    def __init__(self, window: Window, offset: int, count: int, size: int, marker: bytes):
        self.offset, self.count, self.size, self.left = offset, count, size, size
        self.why = ""  # the reader says so when the contents contradict the frame
        self._window, self._marker = window, marker

    def read(self, n: int) -> memoryview:
        """The next `n` bytes, fewer at the end of the block. Raises Broken where the block is not what it promised."""
        window, n = self._window, min(n, self.left)
        whole = window.need(n + MARKER)
        # A damaged length would swallow the blocks that follow: the marker tells that this one is over.
        found = window.buf.find(self._marker, window.pos, min(window.end, window.pos + n + MARKER - 1))
        if found >= 0:
            window.pos = found
            raise Broken("a block ends before its length says so")
        if not whole and window.have < n:
            raise CutOff("the last block is cut off")
        view = window.view(window.pos, window.pos + n)
        window.pos += n
        self.left -= n
        return view

    def finish(self) -> None:
        """Skips the rest and checks the marker."""
        if self.why:
            raise Broken(self.why)
        while self.left:
            self.read(limits.PIECE)
        window = self._window
        if not window.need(MARKER):
            raise CutOff("the last block is cut off")
        if window.buf[window.pos : window.pos + MARKER] != self._marker:
            raise Broken("no marker where a block ends")
        window.pos += MARKER


Event = Header | Block | Long | Tail | Damage


def scan(source: Source) -> Iterator[Event]:
    """Headers, blocks, and damage in the order of the stream.

    A block's payload is a view that stays valid while it is held. Raises NoInput where there is nothing at all, BadData
    where it neither begins like a container nor holds one in its first 2 MiB.
    """
    window = Window(source)
    if not window.need(1):
        raise errors.NoInput(f"{source.name}: nothing came, not even a header: did the program before it start?")
    header: Header | None = None
    frames: Frames | None = None
    avro = window.need(len(MAGIC)) and window.buf.startswith(MAGIC, window.pos)  # else we give up after 2 MiB of it
    marker = b""
    bad: tuple[int, str] | None = None  # offset and reason of the damage that is being skipped
    lost = seen = false = 0
    while True:
        event: Event | None = None
        offset = window.offset
        if not window.need(FRAMING) and window.have == 0:
            break
        try:
            # `O` cannot begin a block: as a count it would be negative
            if window.buf[window.pos] == MAGIC[0] and window.buf.startswith(MAGIC, window.pos, window.end):
                marker_before, marker = marker, b""
                try:
                    event = header = container.parse(window)
                except Broken:
                    if bad:
                        marker = marker_before  # a false header in the middle of damage
                    raise
                frames, marker, false = Frames(header), header.marker, 0
            elif frames is None or not marker:
                raise Broken("no container header" if frames is None else "no header after a damaged one")
            else:
                event = frames.next(window)
        except errors.BadData as e:  # a sound frame around a header that we refuse: its blocks go with it
            bad, lost, marker = bad or (offset, str(e)), lost + 1, b""
            seen += 1
            _find(window, marker)
            continue
        except Broken as e:
            if isinstance(e, CutOff) and header and marker and window.offset == offset:
                event = _tail(window, header)
            if event is None:
                bad, lost = bad or (offset, str(e)), lost + 1
                if isinstance(e, Unmarked):
                    continue
                if window.offset == offset:
                    false += window.buf.startswith(MAGIC, window.pos, window.end)
                    window.pos += 1 if false < PATIENCE else min(window.have, limits.PIECE)
                _find(window, marker, 0 if seen or avro else limits.HEADER, source.name)
                continue
        seen += 1
        if bad:
            yield Damage(bad[0], offset - bad[0], lost, bad[1])
            bad, lost = None, 0
        yield event
        if isinstance(event, Long):
            try:
                event.finish()
            except Broken as e:
                # what was handed on is not damage; the rest, up to the next marker, is
                bad, lost = (window.offset, str(e)), 1
                _find(window, marker)
        elif isinstance(event, Tail):
            return
        del event
    if bad:
        if not seen and not avro:
            raise _not_avro(source.name)
        yield Damage(bad[0], window.offset - bad[0], lost, bad[1])


class Frames:
    """The blocks of one container. A frame like the last one (as samples have it) is compared, not parsed again."""

    def __init__(self, header: Header):
        self.header = header
        self._like = b""
        self._count = self._size = 0

    def next(self, window: Window) -> Block | Long:
        """The block at the window's position, which moves behind its marker. Raises Broken; then the position stays."""
        header, pos = self.header, window.pos
        if self._like and window.buf.startswith(self._like, pos, window.end):
            count, size, at = self._count, self._size, len(self._like)
        else:
            count, size, at = self._parse(window, pos)
        if size > limits.BLOCK:
            offset = window.offset
            window.pos += at
            return Long(window, offset, count, size, header.marker)
        total = at + size + MARKER
        if window.end - pos < total:
            if not window.need(total):
                raise CutOff("the last block is cut off")
            pos = window.pos
        start = pos + at
        stop = start + size
        if window.buf[stop : stop + MARKER] != header.marker:
            if _goes_on(window, total, header):
                window.pos += total
                raise Unmarked("no marker where a block ends")
            raise Broken("no marker where a block ends")
        block = Block(window.base + pos, count, size, window.view(start, stop))
        window.pos = stop + MARKER
        window.expect = total if total > SMALL else SMALL
        return block

    def _parse(self, window: Window, pos: int) -> tuple[int, int, int]:
        """Rows, payload bytes, and the bytes of those two numbers."""
        try:
            count, at = varint.decode(window.buf, pos)
            size, at = varint.decode(window.buf, at)
        except IndexError:
            raise CutOff("the last block is cut off") from None
        except ValueError as e:
            raise Broken(f"a block's frame holds {e}") from None
        if at > window.end:
            raise CutOff("the last block is cut off")
        if not _can_be(self.header, count, size):
            raise Broken(f"a block says that it has {count:,} rows in {size:,} bytes")
        if size > limits.BLOCK and self.header.codec != "null":
            raise Broken(f"a compressed block of {size:,} bytes; at most {limits.BLOCK:,} are read")
        self._like, self._count, self._size = bytes(window.buf[pos:at]), count, size
        return count, size, at - pos


def _can_be(header: Header, count: int, size: int) -> bool:
    """Whether a block of `size` bytes may hold `count` rows."""
    least, room = header.extent.least, size if header.codec == "null" else limits.EXPANDED
    return count >= 0 and size >= 0 and (count * least <= room if least else count <= limits.EMPTY_ROWS)


def _goes_on(window: Window, total: int, header: Header) -> bool:
    """Whether behind the `total` bytes at hand a whole block, a header or the end follows."""
    if total + FRAMING + MARKER > limits.BLOCK:
        return False
    if not window.need(total + FRAMING) and window.have == total:
        return True
    at = window.pos + total
    if window.buf.startswith(MAGIC, at, window.end):
        return True
    try:
        count, begin = varint.decode(window.buf, at)
        size, begin = varint.decode(window.buf, begin)
    except (IndexError, ValueError):
        return False
    whole = begin - window.pos + size + MARKER
    # the count too: the end of a marker and a sound frame behind it read as one frame, with a count of billions
    if not _can_be(header, count, size) or whole > limits.BLOCK or not window.need(whole):
        return False
    return window.buf.startswith(header.marker, window.pos + whole - MARKER, window.end)


def _tail(window: Window, header: Header) -> Tail | None:
    """The block that the end of the stream cuts off, if it is that and not a length that lies."""
    if header.codec != "null" or window.buf.find(header.marker, window.pos, window.end) >= 0:
        return None
    if window.buf.find(MAGIC, window.pos, window.end) >= 0:
        return None
    try:
        count, at = varint.decode(window.buf, window.pos)
        size, at = varint.decode(window.buf, at)
    except (IndexError, ValueError):
        return None
    if at > window.end or size < 0:
        return None
    return Tail(window.offset, count, size, window.view(at, min(window.end, at + size)))


def _find(window: Window, marker: bytes, limit: int = 0, name: str = "") -> None:
    """Moves to the next header, or behind the next marker, or to the end. With `limit`: gives up after that many bytes."""
    while True:
        behind = window.buf.find(marker, window.pos, window.end) if marker else -1
        magic = window.buf.find(MAGIC, window.pos, window.end if behind < 0 else behind)
        if magic >= 0:
            window.pos = magic
            return
        if behind >= 0:
            window.pos = behind + len(marker)
            return
        window.pos = max(window.pos, window.end - MARKER + 1)
        if limit and window.offset > limit:
            raise _not_avro(name)
        if not window.more():
            window.pos = window.end
            return


def _not_avro(name: str) -> errors.BadData:
    return errors.BadData(
        f"{name} is not an Avro stream: it holds no container header. Raw samples need their format and rate, "
        f"such as cu8:-,rate=2.4M,freq=99.7M"
    )
