"""What an RTL2832U and its tuners can be set to, the same over USB and over rtl_tcp."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import errors
from ..units import format_scaled

CRYSTAL_Hz = 28.8e6
FREQ = 100e6
REACH = (24e6, 1.766e9)  # Hz, of the R820T; others less, or a little more
RATE = 2.4e6  # the highest that most USB hosts take without loss
RATES = ((225_001, 300_000), (900_001, 3_200_000))  # what the resampler of the RTL2832U covers

# number in the header of rtl_tcp → tuner, its gains in tenths of a dB. Source: librtlsdr.c, rtlsdr_get_tuner_gains
_R82XX = (
    *(0, 9, 14, 27, 37, 77, 87, 125, 144, 157, 166, 197, 207, 229, 254, 280, 297, 328, 338, 364, 372, 386, 402, 421),
    *(434, 439, 445, 480, 496),
)
TUNERS: dict[int, tuple[str, tuple[int, ...]]] = {
    1: ("E4000", (-10, 15, 40, 65, 90, 115, 140, 165, 190, 215, 240, 290, 340, 420)),
    2: ("FC0012", (-99, -40, 71, 179, 192)),
    3: (
        "FC0013",
        (-99, -73, -65, -63, -60, -58, -54, 58, 61, 63, 65, 67, 68, 70, 71, 179, 181, 182, 184, 186, 188, 191, 197),
    ),
    4: ("FC2580", (0,)),
    5: ("R820T", _R82XX),
    6: ("R828D", _R82XX),
}


def check_rate(rate: float) -> int:
    """`rate` in whole samples/s, or errors.Usage."""
    if not any(low <= rate <= high for low, high in RATES):
        raise errors.Usage(
            f"rate {format_scaled(rate)} is not possible: an RTL-SDR does 225001 to 300000 and 900001 to 3200000/s"
        )
    return round(rate)


def check_freq(freq: float) -> int:
    """`freq` in whole Hz, or errors.Usage. The tuner's own limits differ by model; the interface has 32 bits."""
    if not 0 <= freq < 2**32:
        raise errors.Usage(f"freq {format_scaled(freq)} is not possible: RTL-SDR tuners reach from 24M to 1766M")
    return round(freq)


def check_ppm(ppm: float) -> int:
    """Whole ppm, which is what the interface has, or errors.Usage."""
    if not -1000 <= ppm <= 1000:
        raise errors.Usage(f"ppm {ppm:g} is not possible: -1000 to 1000")
    return round(ppm)


def nearest(gain: float, gains: Sequence[int]) -> int:
    """The tenths of a dB in `gains` nearest to `gain` dB; `gain` itself where the tuner names none."""
    if not math.isfinite(gain) or abs(gain) > 200:
        raise errors.Usage(f"gain {gain:g} dB is not possible: auto, or a value from 0 to 50 dB")
    return min(gains, key=lambda have: abs(have - 10 * gain)) if gains else round(10 * gain)


def actual_rate(rate: int) -> float:
    """What the resampler makes of `rate`, in whole samples/s as librtlsdr reports it.

    The ratio has 22 fractional bits, of which the last two are zero. Source: librtlsdr.c, rtlsdr_set_sample_rate.
    """
    ratio = int(CRYSTAL_Hz * 2**22 / rate) & ~3
    return float(int(CRYSTAL_Hz * 2**22 / ratio))


def block_samples(rate: float) -> int:
    """Samples of one block: 10 ms, in whole USB packets of 512 bytes (256 samples)."""
    return max(256, int(rate * 0.010) // 256 * 256)
