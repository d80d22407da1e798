"""What a run counted: printed as the last line with -v, written by --stats, asked for with SIGUSR1. Law L2 lives here."""

from __future__ import annotations

import json
import os
import time

from sptools.errors import CannotCreate


class Tally:
    """Named counters in the order in which they first occurred.

    `lost` samples, `lost_rows`, `dropped` (samples that our own ring refused; part of `lost`), `skipped_bytes`, `left`
    (blocks that a deadline kept us from delivering) are the ones that mean loss.
    """

    LOSSES = ("lost", "lost_rows", "lost_frames", "kernel_drops", "skipped_bytes", "left", "not_shown", "spool_dropped")

    def __init__(self) -> None:
        self.counts: dict[str, int | float | str] = {}
        self.started = time.monotonic()

    def add(self, name: str, n: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + n  # type: ignore[operator]

    def put(self, name: str, value: int | float | str) -> None:
        """A state rather than a count: the frequency, the device."""
        self.counts[name] = value

    def __getitem__(self, name: str) -> int:
        return self.counts.get(name, 0)  # type: ignore[return-value]

    @property
    def losses(self) -> dict[str, int]:
        return {k: self[k] for k in self.LOSSES if self[k]}

    def line(self) -> str:
        """One line for people: `samples_in 2,400,000, lost 0, 1.0 s`."""
        counts = {**self.counts, "lost": self["lost"]}
        words = [f"{k} {v:,}" if isinstance(v, (int, float)) else f"{k} {v}" for k, v in counts.items()]
        return ", ".join([*words, f"{time.monotonic() - self.started:.1f} s"])

    def write(self, path: str, **more: object) -> None:
        """As JSON, replaced whole, so that a reader never sees half a file."""
        facts = {"elapsed_s": round(time.monotonic() - self.started, 3), **self.counts, "lost": self["lost"], **more}
        try:
            with open(path + ".part", "w") as f:
                json.dump(facts, f, indent=1)
                f.write("\n")
            os.replace(path + ".part", path)
        except OSError as error:
            raise CannotCreate(f"--stats {path} cannot be written: {error.strerror}") from error
