"""Signals for the figures, as cu8 files. Closed forms, independent of the simulator."""

from pathlib import Path

import numpy as np

DEVIATION = 75e3  # Hz of a full-scale programme. ITU-R BS.450-4 §1.2
MONO = 0.9  # programme level of a mono station


def fm(rate: float, seconds: float, stations: list[tuple[float, float, float]], cnr: float = 45.0, seed: int = 1) -> np.ndarray:
    """Stations (offset Hz, amplitude, tone Hz) in noise, as cu8, shape (2 · rate · seconds,).

    The noise lies `cnr` dB below the first station in 200 kHz. All offsets and tones being multiples of 1/seconds, the
    end meets the beginning, so the signal may be repeated.
    """
    random = np.random.default_rng(seed)
    n = round(rate * seconds)
    step = round(rate)  # a second at a time: a whole signal in complex128 would take gigabytes
    sigma = stations[0][1] * np.sqrt(10 ** (-cnr / 10) * rate / 200e3 / 2)
    out = np.empty((n, 2), np.uint8)
    for start in range(0, n, step):
        t = np.arange(start, min(start + step, n)) / rate
        z = np.zeros((len(t), 2))
        for offset, amplitude, tone in stations:
            phase = 2 * np.pi * ((offset * t) % 1) - DEVIATION * MONO / tone * np.cos(2 * np.pi * ((tone * t) % 1))
            z += amplitude * np.stack((np.cos(phase), np.sin(phase)), axis=-1)
        z += sigma * random.standard_normal(z.shape)
        out[start : start + len(t)] = np.clip(np.rint(127.5 * z + 127.5), 0, 255)
    return out.reshape(-1)


def save(path: Path, data: np.ndarray, times: int = 1) -> Path:
    """Writes DATA so many times."""
    with path.open("wb") as file:
        for _ in range(times):
            file.write(data)
    return path
