"""Datagrams for formats that know only bytes: lines, and raw samples."""

from __future__ import annotations

from typing import Any

SAMPLE = 16  # bytes: the longest sample, so that no piece ends inside one


class Stream:
    """The bytes of all datagrams, one after the other. `lines`: each datagram ends a line, whether it says so or not."""

    seekable = False
    path = None

    def __init__(self, input: Any, *, lines: bool):
        self.input, self.lines, self.name = input, lines, input.name
        self._waiting: list[bytes] = []
        self._rest = memoryview(b"")

    def read(self, n: int) -> bytes:
        """Up to `n` bytes of what has come; b"": the end."""
        while not self._rest:
            if not self._waiting:
                batch = self.input.batch()
                if batch is None:
                    return b""
                self._waiting = batch[::-1]
                continue
            data = self._waiting.pop()
            self._rest = memoryview(data if not self.lines or data.endswith(b"\n") else data + b"\n")
        some, self._rest = bytes(self._rest[:n]), self._rest[n:]
        return some

    def readinto(self, view: memoryview) -> int:
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def fileno(self) -> int:
        return self.input.fileno()

    def close(self) -> None:
        self.input.close()


class Pieces:
    """An output that cuts what is written into datagrams: of whole lines each, or of at most `mtu` bytes of samples."""

    path = None

    def __init__(self, output: Any, *, lines: bool):
        self.output, self.lines, self.name = output, lines, output.name

    @property
    def notes(self) -> dict[str, int]:
        return self.output.notes

    def write(self, *buffers: Any) -> None:
        data = memoryview(b"".join(buffers))
        if self.lines:
            for line in bytes(data).split(b"\n"):
                if line:
                    self.output.write(line, b"\n")
            return
        most = self.output.mtu // SAMPLE * SAMPLE
        for at in range(0, len(data), most):
            self.output.write(data[at : at + most])

    def fileno(self) -> int:
        return self.output.fileno()

    def close(self, ok: bool = True) -> None:
        self.output.close(ok)
