"""Lines that wait for nothing but the rest of their input block."""

from __future__ import annotations

from typing import Any


class Prompt:
    """The half of a sink that gathers lines: `flush` writes what one block of the input gave at once."""

    prompt = True  # sptools.run flushes after each item of the input
    errors = "replace"  # what becomes of a lone surrogate

    def __init__(self, output: Any):
        self.output = output
        self._lines: list[str] = []

    def flush(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, []
            self.output.write("".join(lines).encode("utf-8", self.errors))

    def close(self, ok: bool = True) -> None:
        try:
            self.flush()
        except BaseException:
            self.output.close(False)
            raise
        self.output.close(ok)
