"""A sliding window over a byte stream: the reader asks for bytes, the window reads as few times as it can.

A block's samples are handed on as views of the buffer that they were read into, not copied. Such a buffer is used again
only when nobody holds a view of it any longer, so a view stays valid for as long as it is kept.
"""

from __future__ import annotations

from typing import Protocol

from sptools import limits

SMALL = 64 * limits.KiB  # a read-ahead: many small blocks a system call; larger blocks are read exactly
ROOM = limits.PIECE + 4 * limits.KiB  # a usual block with its framing
SPARE = 4  # buffers kept for later


class Source(Protocol):
    name: str

    def readinto(self, view: memoryview) -> int: ...


class Window:
    """`buf[pos:end]` are the bytes at hand; `base + pos` is the offset of the first in the stream."""

    def __init__(self, source: Source):
        self._source = source
        self._spare: list[bytearray] = []
        self.buf = bytearray(ROOM)
        self._view = memoryview(self.buf)
        self.pos = self.end = self.base = 0
        self.eof = False
        self.expect = SMALL  # bytes of the next block, if it is like the last one

    @property
    def offset(self) -> int:
        return self.base + self.pos

    @property
    def have(self) -> int:
        return self.end - self.pos

    def need(self, n: int) -> bool:
        """At least `n` bytes at hand, from `pos` on; False: the stream ends before."""
        while (have := self.end - self.pos) < n:
            if self.eof:
                return False
            if (self.pos and (have == 0 or self.pos + n > len(self.buf))) or self.end == len(self.buf):
                # grown by what has come, not by what a damaged length promises
                self._roll(min(max(n, self.expect), max(ROOM, 4 * have)))
            # A large block is read to its end and no further: then the next one starts a buffer and nothing is moved.
            want = n - have if n >= SMALL else max(self.expect - have, n - have)
            got = self._source.readinto(self._view[self.end : self.end + want])
            if got == 0:
                self.eof = True
                return False
            self.end += got
        return True

    def more(self) -> bool:
        """A read-ahead; False: the end."""
        return self.need(self.have + 1)

    def view(self, start: int, stop: int) -> memoryview:
        """Read-only bytes `start` to `stop` of `buf`; they stay as they are while the view is held."""
        return self._view[start:stop].toreadonly()

    def _roll(self, room: int) -> None:
        """Moves what is at hand to the beginning of a buffer that nobody looks at, with space for `room` bytes."""
        have = self.end - self.pos
        old, buf = self.buf, self._take(room)
        if buf is None:
            self._view.release()
            buf = old if len(old) >= room and _free(old) else bytearray(max(room, ROOM))
        view = memoryview(buf)
        if have:
            # a slice assignment within one buffer moves overlapping bytes rightly
            view[:have] = memoryview(old)[self.pos : self.end]
        self._view.release()
        self.buf, self._view = buf, view
        if buf is not old and len(old) <= limits.MiB:
            self._spare.append(old)
            if len(self._spare) > SPARE:
                del self._spare[0]
        self.base += self.pos
        self.pos, self.end = 0, have

    def _take(self, room: int) -> bytearray | None:
        """The buffer that has rested longest, if nobody looks at it: the last block's is still in somebody's hands."""
        for i, buf in enumerate(self._spare):
            if len(buf) >= room and _free(buf):
                return self._spare.pop(i)
        return None


def _free(buf: bytearray) -> bool:
    """No view of `buf` is alive: Python refuses to resize a bytearray that is exported. Neither call moves its memory."""
    try:
        buf.append(buf.pop())
    except BufferError:
        return False
    return True
