"""A sink for lines of text on stdout: reports, not records. Control bytes of foreign names are shown, not obeyed."""

from __future__ import annotations

from sptools import log
from sptools.transports.file import Output


class Lines:
    def __init__(self, place: str = "-"):
        self.output = Output(place)

    def put(self, line: str) -> None:
        self.output.write(log.escape(line).encode("utf-8", "backslashreplace") + b"\n")

    def flush(self) -> None:
        """Every line is written at once."""

    def close(self, ok: bool = True) -> None:
        self.output.close(ok)
