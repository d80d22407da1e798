"""Samples from one datatype to another. Full scale is 1.0: ±127.5 about 127.5 for u8, 128 for i8, 32768 for i16.

To integers: rounded to the nearest, halves to even, and clipped. Between the same datatypes nothing is touched.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from sptools.record import component

# component → (value of a zero, value of full scale above it)
SCALE = {
    "u8": (127.5, 127.5), "i8": (0.0, 2.0**7), "i16_le": (0.0, 2.0**15), "u16_le": (32767.5, 32767.5),
    "i32_le": (0.0, 2.0**31), "f32_le": (0.0, 1.0), "f64_le": (0.0, 1.0),
}  # fmt: skip


def convert(x: np.ndarray, have: str, want: str) -> np.ndarray:
    """`x`: 1-D components of datatype `have` → of `want`, same length; `x` itself when they are the same."""
    if have[1:] == want[1:]:
        return x
    if have[1:] == "u8":  # 256 values: one look-up instead of four passes
        return _table(want[1:])[x]
    return _scale(x, have[1:], want[1:])


def silence(datatype: str, n: int) -> np.ndarray:
    """`n` components as near to zero as the datatype has them."""
    zero = np.rint(SCALE[datatype[1:]][0])  # 127.5 → 128
    return np.full(n, zero, component(datatype))


def level_dBFS(x: np.ndarray, datatype: str) -> float:
    """Mean power of components; a full-scale complex exponential, or a full-scale sine on a real channel, is 0 dBFS."""
    if not len(x):
        return float("nan")
    zero, full = SCALE[datatype[1:]]
    y: Any = x.astype(np.float32)
    y -= np.float32(zero)
    y *= np.float32(1 / full)
    power = 2 * float(np.dot(y, y)) / len(y)
    return 10 * float(np.log10(power)) if power > 0 else float("-inf")


def _scale(x: np.ndarray, have: str, want: str) -> np.ndarray:
    (zero, full), (zero_out, full_out) = SCALE[have], SCALE[want]
    dtype = component("r" + want)
    wide = np.float64 if "i32_le" in (have, want) or "f64_le" in (have, want) else np.float32
    y: Any = x.astype(wide)
    if zero:
        y -= wide(zero)
    if full != full_out:
        y *= wide(full_out / full)
    if zero_out:
        y += wide(zero_out)
    if dtype.kind == "f":
        return y.astype(dtype, copy=False)
    info = np.iinfo(dtype)
    np.nan_to_num(y, copy=False, nan=zero_out, posinf=info.max, neginf=info.min)
    return np.clip(np.rint(y, out=y), info.min, info.max).astype(dtype)


@cache
def _table(want: str) -> np.ndarray:
    return _scale(np.arange(256, dtype=np.uint8), "u8", want)
