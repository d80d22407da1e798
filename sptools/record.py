"""What flows between tools: the start of a container, then its records.

A stream is an iterator of `Start`, followed by records of that channel (`IQ`, `Audio`, `Spectrum`, `Message` or `Rows`),
perhaps followed by further `Start`s. The field names are those of `schemas/*.avsc`; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

NAN = float("nan")
CLOCKS = ("none", "ntp", "pps", "sim")
VALID = ("crc", "repaired", "inferred", "none")

# SigMF datatype → dtype of one real component. Complex data lies interleaved, I first.
COMPONENT: dict[str, np.dtype] = {
    "u8": np.dtype("u1"), "i8": np.dtype("i1"),
    "i16_le": np.dtype("<i2"), "u16_le": np.dtype("<u2"), "i32_le": np.dtype("<i4"),
    "f32_le": np.dtype("<f4"), "f64_le": np.dtype("<f8"),
}  # fmt: skip


@dataclass(slots=True)
class Start:
    """The header of a container, or a new beginning inside one channel.

    `schema` is the writer's schema (parsed JSON); `boot` 8 random bytes, one per process; `first` the number of the
    first block that follows, in this channel and boot; `lost` blocks or rows lost just before (0 where `sample` tells);
    `source` what made it: channel, node, task, device, latitude, longitude, version.
    """

    schema: dict
    channel: str = ""
    boot: bytes = b""
    first: int = 0
    lost: int = 0
    source: dict = field(default_factory=dict)
    codec: str = "null"
    meta: dict = field(default_factory=dict)  # other keys of the header, str → bytes

    @property
    def name(self) -> str:
        """The record's name without its namespace: `IQ`, or the user's."""
        schema = self.schema if isinstance(self.schema, dict) else {}
        return str(schema.get("name", "")).rpartition(".")[2]


@dataclass(slots=True)
class IQ:
    """Consecutive complex samples. `data` is bytes-like, interleaved components of `datatype`."""

    time: int
    sample: int
    rate: float
    freq: float = 0.0
    gain: float = NAN
    datatype: str = "cu8"
    data: bytes | memoryview | np.ndarray = b""
    channels: int = 1
    time_error: int = -1
    clock: str = "none"

    @property
    def count(self) -> int:
        """Samples in this block (per channel)."""
        return nbytes(self.data) // (sample_size(self.datatype) * self.channels)


@dataclass(slots=True)
class Audio(IQ):
    """Consecutive real samples; channels interleaved."""


@dataclass(slots=True)
class Spectrum:
    """One averaged power spectrum, lowest bin first."""

    time: int
    sample: int
    rate: float
    freq: float
    span: float
    rbw: float
    averages: int
    window: str
    detector: str
    data: bytes | memoryview | np.ndarray
    unit: str = "dBFS/Hz"
    calibration: str = ""
    datatype: str = "rf32_le"
    gain: float = NAN
    time_error: int = -1
    clock: str = "none"


@dataclass(slots=True)
class Message:
    """One decoded digital message. `raw` is hexadecimal."""

    time: int
    sample: int
    freq: float
    level: float
    protocol: str
    raw: str
    valid: str
    fields: dict[str, bool | int | float | str] = field(default_factory=dict)
    time_error: int = -1
    clock: str = "none"


class Rows:
    """Rows of the user's own schema: decoded (`values`) or still a block's body, decoded when asked for."""

    def __init__(
        self,
        values: list[dict] | None = None,
        *,
        body: memoryview | bytes | None = None,
        count: int | None = None,
        decode: Callable[[memoryview | bytes, int], list[dict]] | None = None,
    ):
        if values is not None:
            self.values = values
        self.body, self.decode = body, decode
        self.count = len(self.values) if count is None else count

    @cached_property
    def values(self) -> list[dict]:
        assert self.decode is not None and self.body is not None
        return self.decode(self.body, self.count)


Record = IQ | Audio | Spectrum | Message | Rows
Item = Start | IQ | Audio | Spectrum | Message | Rows
BUILT_IN = {"IQ": IQ, "Audio": Audio, "Spectrum": Spectrum, "Message": Message}


def nbytes(data: bytes | memoryview | np.ndarray) -> int:
    return data.nbytes if isinstance(data, (memoryview, np.ndarray)) else len(data)


def is_complex(datatype: str) -> bool:
    return datatype.startswith("c")


def component(datatype: str) -> np.dtype:
    """dtype of one real component of a SigMF datatype. KeyError for an unknown one."""
    return COMPONENT[datatype[1:]]


def sample_size(datatype: str) -> int:
    """Bytes of one sample of one channel."""
    return component(datatype).itemsize * (2 if is_complex(datatype) else 1)


def components(record: IQ | Audio | Spectrum) -> np.ndarray:
    """The data as a 1-D array of real components, shape (count · channels · (2 if complex else 1),), no copy, read-only."""
    array = np.frombuffer(record.data, component(record.datatype))  # type: ignore[arg-type]
    array.flags.writeable = False
    return array
