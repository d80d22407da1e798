"""Mode S messages and their IQ, for the tests of `adsb`: written from the standard, sharing no code with the decoder.

Parity by long division of polynomials; pulses drawn on a grid of 24 points a µs and averaged over each sample, as a receiver's
filter would; positions encoded by DO-260B §2.6's own formulas.
"""

from __future__ import annotations

from math import acos, cos, floor, pi, radians

import numpy as np

GRID = 24  # points a µs: 12 a half bit


def parity(bits: str) -> int:
    """Remainder of bits · x^24 divided by the generator."""
    register = [int(b) for b in bits] + [0] * 24
    generator = [int(b) for b in f"{0x1FFF409:025b}"]
    for i in range(len(bits)):
        if register[i]:
            for k, g in enumerate(generator):
                register[i + k] ^= g
    return int("".join(map(str, register[-24:])), 2)


def finish(bits: str, overlay: int = 0) -> str:
    """Hexadecimal message: `bits` and their parity, exclusive-ored with an address or an interrogator's code."""
    return f"{int(bits + f'{parity(bits) ^ overlay:024b}', 2):0{(len(bits) + 24) // 4}X}"


def squitter(icao: int, me: int, capability: int = 5, df: int = 17) -> str:
    return finish(f"{df:05b}{capability:03b}{icao:024b}{me:056b}")


def all_call(icao: int, interrogator: int = 0) -> str:
    return finish(f"{11:05b}{5:03b}{icao:024b}", interrogator)


def surveillance(df: int, icao: int, body: int) -> str:
    """`body`: the 27 bits behind the format (DF 0, 4, 5), or 83 (16, 20, 21)."""
    return finish(f"{df:05b}{body:0{83 if df >= 16 else 27}b}", icao)


def zones(latitude: float) -> int:
    if abs(latitude) >= 87:
        return 1
    return floor(2 * pi / acos(1 - (1 - cos(pi / 30)) / cos(radians(latitude)) ** 2))


def cpr(latitude: float, longitude: float, odd: bool, surface: bool = False) -> tuple[int, int]:
    """17-bit latitude and longitude."""
    cell = 90.0 if surface else 360.0
    height = cell / (60 - odd)
    y = floor(2**17 * ((latitude % height) / height) + 0.5)
    width = cell / max(zones(height * (y / 2**17 + floor(latitude / height))) - odd, 1)
    x = floor(2**17 * ((longitude % width) / width) + 0.5)
    return y % 2**17, x % 2**17


def airborne(icao: int, latitude: float, longitude: float, odd: bool, feet: int = 30000) -> str:
    n = (feet + 1000) // 25
    altitude = (n >> 4) << 5 | 1 << 4 | n & 15
    y, x = cpr(latitude, longitude, odd)
    return squitter(icao, 11 << 51 | altitude << 36 | int(odd) << 34 | y << 17 | x)


def surface(icao: int, latitude: float, longitude: float, odd: bool) -> str:
    y, x = cpr(latitude, longitude, odd, surface=True)
    return squitter(icao, 7 << 51 | 20 << 44 | 1 << 43 | 32 << 36 | int(odd) << 34 | y << 17 | x, capability=4)


def envelope(message: str) -> np.ndarray:
    """Pulse heights on the grid, float64: 8 µs of preamble, then the bits."""
    half = GRID // 2
    bits = f"{int(message, 16):0{4 * len(message)}b}"
    halves = [1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0] + [h for b in bits for h in ((1, 0) if b == "1" else (0, 1))]
    return np.repeat(np.array(halves, float), half)


def iq(
    messages: list[tuple[float, str]], seconds: float, rate: float = 2e6, *, amplitude: float = 0.4, noise: float = 0.01,
    offset: float = 0.0, seed: int = 1,
) -> np.ndarray:  # fmt: skip
    """complex128 at `rate`; `messages`: (start in s, hexadecimal). `noise`: 1 σ an axis; `offset`: Hz off tune."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    heights = np.zeros(n)
    for start, message in messages:
        fine = np.concatenate(([0.0], np.cumsum(envelope(message)))) / GRID  # µs of pulse so far
        first = floor(start * rate)
        edges = (np.arange(first, min(first + floor(len(fine) / GRID * rate / 1e6) + 3, n) + 1) / rate - start) * 1e6
        filled = np.interp(edges, np.arange(len(fine)) / GRID, fine)
        heights[first : first + len(edges) - 1] += np.diff(filled) * rate / 1e6
    turn = np.exp(1j * (2 * np.pi * offset * np.arange(n) / rate + rng.uniform(0, 2 * np.pi)))
    return amplitude * heights * turn + noise * (rng.standard_normal(n) + 1j * rng.standard_normal(n))


def components(z: np.ndarray, datatype: str = "cu8") -> np.ndarray:
    flat = np.column_stack((z.real, z.imag)).ravel()
    if datatype == "cu8":
        return np.clip(np.rint(127.5 * flat + 127.5), 0, 255).astype(np.uint8)
    if datatype == "ci8":
        return np.clip(np.rint(128 * flat), -128, 127).astype(np.int8)
    if datatype == "ci16_le":
        return np.clip(np.rint(32768 * flat), -32768, 32767).astype(np.int16)
    return flat.astype(np.float32)
