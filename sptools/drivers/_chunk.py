"""What a receiver hands over."""

from typing import NamedTuple

import numpy as np


class Chunk(NamedTuple):
    """Consecutive samples as they came from a receiver, or rows of telemetry.

    `lost` samples went missing just before these. `time` (ns UTC of the first sample) and `sample` (its index) are given
    only where the source itself knows them, as a recording does; otherwise they are stamped on arrival.
    """

    data: np.ndarray | bytes | memoryview | list[dict]
    rate: float
    freq: float = 0.0
    gain: float = float("nan")
    lost: int = 0
    time: int | None = None
    sample: int | None = None
    time_error: int = -1  # ns, 1 sigma; −1: unknown
    clock: str = "none"
