"""Windows for spectra, in their periodic form (one period of a cosine sum over n samples).

w[k] = Σ_m (−1)^m · a_m · cos(2π·m·k/n). A window of M terms spreads a pure tone over 2M − 1 bins.
Source: F. J. Harris, "On the use of windows for harmonic analysis", Proc. IEEE 66 (1978); the flat top has the
coefficients that Matlab and scipy use.
"""

from __future__ import annotations

import numpy as np

from sptools.errors import Usage

COSINES = {
    "rect": (1.0,),
    "hann": (0.5, 0.5),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}


def window(name: str, n: int) -> np.ndarray:
    """float64 (n,), highest value 1 (0.99999 and more for the cosine sums)."""
    if name not in COSINES:
        raise Usage(f"no window {name!r}: choose one of {', '.join(COSINES)}")
    angle = 2 * np.pi * np.arange(n) / n
    return sum((-1) ** m * a * np.cos(m * angle) for m, a in enumerate(COSINES[name]))  # type: ignore[return-value]


def noise_bandwidth(w: np.ndarray) -> float:
    """Equivalent noise bandwidth in bins: 1 for `rect`, 1.5 for `hann`."""
    return float(len(w) * np.sum(w**2) / np.sum(w) ** 2)


def lobe(name: str) -> int:
    """Bins on either side of a bin-centred tone that it reaches."""
    return len(COSINES[name]) - 1
