"""What every kernel and demodulator offers, and the five laws that tests/contracts hold them to.

*cut*: any partition of the input gives the same output, bit for bit. *reset*: after `reset()` a kernel behaves as new.
*ratio*: n input samples and a `flush()` give ceil(n · ratio) outputs. *empty*: no input, no output.
*purity*: the input array is left untouched.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple, Protocol

import numpy as np


class Hit(NamedTuple):
    """A decoded message. `sample`: its first sample, counted from the kernel's start or reset."""

    sample: int
    level: float  # dBFS
    protocol: str
    raw: str  # hexadecimal
    valid: str  # crc, repaired, inferred, none
    fields: dict[str, bool | int | float | str]


class Output(NamedTuple):
    """What comes out of a demodulator: `record` is Audio, IQ or Message; `rate` in samples/s."""

    record: str
    rate: float = 0.0
    datatype: str = ""
    channels: int = 1


class Kernel(Protocol):
    """An array function with carried state."""

    ratio: Fraction  # output samples per input sample; 0 for messages
    delay: float  # input samples: output m stands for the input at time m/ratio − delay (in input samples)

    def process(self, x: np.ndarray) -> np.ndarray | list[Hit]:
        """Takes the next input samples, gives what is ready. The result may be reused by the next call: copy to keep."""

    def flush(self) -> np.ndarray | list[Hit]:
        """The rest, up to ceil(n · ratio) outputs in all. Only `reset` may follow."""

    def reset(self) -> None:
        """Back to the state of a new kernel (live settings stay as set)."""


class Demodulator(Kernel, Protocol):
    """A kernel that `sp-demod` runs. Input: interleaved real components of `datatype`, shape (2n,)."""

    output: Output

    def set(self, **settings: object) -> None:
        """Change live settings between two blocks; takes effect at the next input sample."""
