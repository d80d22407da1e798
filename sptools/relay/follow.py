"""The numbers of a batch of frames: what follows on is taken at once, the rest one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from sptools.formats.avro import flow


class Follow(flow.Flow):
    """A channel's numbers. While nothing is held back, a run of consecutive ones costs one comparison."""

    def many(self, seqs: np.ndarray, frame: Callable[[int], object], now: float) -> Iterator[tuple[int, int] | list[flow.Event]]:
        """(first, behind the last) of those that just follow on, or events. `frame(i)`: what is kept of the i-th."""
        n = len(seqs)
        cuts = (np.flatnonzero(np.diff(seqs) != 1) + 1).tolist() if n > 1 else []
        for a, b in zip([0, *cuts], [*cuts, n], strict=True):
            i = a
            while i < b:
                if self.deadline is None and not self._back and int(seqs[i]) == self.expected:
                    self.expected += b - i
                    yield i, b
                    break
                events = self.take(int(seqs[i]), frame(i), now)
                i += 1
                if events:
                    yield events
