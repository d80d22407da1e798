"""sim:adsb: Mode S traffic on 1090 MHz."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from sptools.errors import RateTooLow
from sptools.units import Count, Decibel, Gain, Hertz, Rate, Within

from ._band import Band, cell_length
from ._noise import UNIT
from ._traffic import Aircraft, fleet, traffic

LOUDEST = 0.8
CHIP_s = 0.5e-6
PREAMBLE = (1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0)  # half microseconds
LONGEST_s = 120e-6
SLOWEST = 2e6


def adsb(
    *,
    freq: Hertz = 1090e6,
    rate: Rate = 2e6,
    gain: Gain = float("nan"),
    station: Hertz = 1090e6,
    aircraft: Annotated[Count, Within(0, 100)] = 6,
    cnr: Decibel = 30.0,
    seed: int = 1,
) -> Band:
    """Mode S traffic: aircraft on circles, each with seven messages a second; aircraft=0 is noise alone.

    Once a second each sends DF17 position (even, then odd), velocity and identification, and replies DF11, DF4 and DF5.
    No two messages overlap. The carrier-to-noise ratio is that of the loudest aircraft's pulses over the noise in the
    whole band.
    """
    if rate < SLOWEST:
        raise RateTooLow("sim:adsb", need=SLOWEST, have=rate)
    cell = cell_length(rate)
    sigma = LOUDEST * 10 ** (-cnr / 20) / 2**0.5
    return Band(rate, freq, gain, cell, [Traffic(fleet(aircraft, seed), seed, station, rate, cell)], sigma, seed)


class Traffic:
    """Pulses of all aircraft; each aircraft has an amplitude and a carrier of its own."""

    amplitude = 1.0

    def __init__(self, aircraft: list[Aircraft], seed: int, freq: float, rate: float, cell: int):
        self.aircraft, self.seed, self.freq, self.rate, self.cell = aircraft, seed, freq, rate, cell
        self.out = np.empty((cell, 2), np.int16)

    def tune(self, offset: float, amplitude: float) -> None:
        self.offset, self.level = offset, amplitude

    def samples(self, cell: int) -> np.ndarray | None:
        first = cell * self.cell
        end = (first + self.cell) / self.rate
        heard = list(traffic(self.aircraft, self.seed, first / self.rate - LONGEST_s, end))
        if not heard:
            return None
        self.out[:] = 0
        for sent in heard:
            start, pulses = waveform(sent.raw, sent.time, self.rate)
            inside = slice(max(start, first) - start, min(start + len(pulses), first + self.cell) - start)
            if inside.stop <= inside.start:
                continue
            at = start + np.arange(inside.start, inside.stop)
            turns = (sent.aircraft.drift + self.offset) / self.rate * (at - start) + sent.time * 997 % 1
            size = np.clip(self.level * sent.aircraft.amplitude, 0, 1) * 127.5 * UNIT
            wave = size * pulses[inside] * np.exp(2j * np.pi * turns)
            self.out[at - first] = np.rint(np.stack([wave.real, wave.imag], axis=1))
        return self.out.reshape(-1)


def waveform(raw: str, time: float, rate: float) -> tuple[int, np.ndarray]:
    """First sample and pulses (float64, 0 to 1): each sample is the mean of the pulse train over its own length."""
    bits = bin(int(raw, 16))[2:].zfill(4 * len(raw))
    chips = [*PREAMBLE, *(chip for bit in bits for chip in ((1, 0) if bit == "1" else (0, 1)))]
    area = np.concatenate([[0.0], np.cumsum(chips)]) * CHIP_s
    start = int(time * rate)
    edges = (start + np.arange(int(len(chips) * CHIP_s * rate) + 3)) / rate - time
    return start, np.diff(np.interp(edges, np.arange(len(area)) * CHIP_s, area)) * rate
