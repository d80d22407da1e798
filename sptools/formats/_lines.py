"""Lines from a byte stream, bounded, and what goes wrong in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sptools import limits
from sptools.errors import BadData, NoInput

PIECE = 1 << 16
LINE = limits.JSON_BODY


class Lines:
    """Iterates over (number, text) of UTF-8 lines without their end; what is no such line is counted in `bad`.

    `more`: the next line is here already, so that taking it does not wait. Numbers begin at 1.
    """

    def __init__(self, input: Any):
        self.input = input
        self.number = 0
        self.bad = 0
        self.reason = ""
        self.cut = False  # the last line had no end
        self._data = b""
        self._at = 0

    @property
    def more(self) -> bool:
        return self._data.find(b"\n", self._at) >= 0

    def __iter__(self) -> Iterator[tuple[int, str]]:
        skipping = False  # inside a line that is too long
        seen = False
        while True:
            end = self._data.find(b"\n", self._at)
            while end < 0:
                self._data = b"" if skipping else self._data[self._at :]
                self._at = 0
                if len(self._data) > LINE and not skipping:
                    self._long()
                    skipping, self._data = True, b""
                piece = self.input.read(PIECE)
                if not piece:
                    if not seen:
                        raise NoInput(f"{self.input.name} is empty")
                    if self._data:
                        self.cut = True
                        yield from self._text(self._data)
                    return
                seen = True
                self._data += piece
                end = self._data.find(b"\n", self._at)
            line, self._at = self._data[self._at : end], end + 1
            if skipping:
                skipping = False
            elif len(line) > LINE:
                self._long()
            else:
                yield from self._text(line)

    def _text(self, line: bytes) -> Iterator[tuple[int, str]]:
        self.number += 1
        try:
            text = line.removesuffix(b"\r").decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            self.fail(self.number, f"is not UTF-8 ({error.reason} at byte {error.start})")
        else:
            yield self.number, text

    def _long(self) -> None:
        self.number += 1
        self.fail(self.number, f"is longer than {LINE:,} bytes")

    def fail(self, number: int, reason: str) -> None:
        """Line `number` is left out."""
        self.bad += 1
        if self.bad == 1:
            self.reason = f"line {number} {reason}"

    def report(self) -> None:
        """Raises BadData if anything was left out."""
        if self.bad:
            rest = f", and {self.bad - 1:,} more such lines" if self.bad > 1 else ""
            raise BadData(f"{self.input.name}: {self.reason}{rest}; the others were delivered")
