"""What a receiver hands over."""

from typing import NamedTuple

import numpy as np


class Chunk(NamedTuple):
    """Consecutive samples as they came from a receiver, or rows of telemetry.

    `lost` samples went missing just before these. `time` (ns UTC of the first sample) and `sample` (its index) are given
    only where the source itself knows them, as a recording does; otherwise capture stamps them.
    """

    data: np.ndarray | bytes | memoryview | list[dict]
    rate: float
    freq: float = 0.0
    gain: float = float("nan")
    lost: int = 0
    time: int | None = None
    sample: int | None = None
