"""The Radio Data System: groups, check bits and the shaped biphase signal. Source: IEC 62106-2:2018 §§4–5, 62106-3."""

from fractions import Fraction

import numpy as np

from sptools.errors import Usage

GENERATOR = 0x5B9  # x¹⁰ + x⁸ + x⁷ + x⁵ + x⁴ + x³ + 1
OFFSET_WORDS = (0x0FC, 0x198, 0x168, 0x1B4)  # blocks A, B, C, D
BAUD = Fraction(2375, 2)
SUBCARRIER_Hz = 57e3
STEPS = 1024  # stored points a bit: the error of time lies 26 dB below the quantisation of cu8
MUSIC, TRAFFIC_NONE, PROGRAMME_TYPE = 1, 0, 0
NO_AF = 0xE0CD  # group 0A, block C: no alternative frequency, filler


def checkword(data: int) -> int:
    """The 10 check bits of 16 data bits, without offset word."""
    value = data << 10
    for bit in range(25, 9, -1):
        if value >> bit & 1:
            value ^= GENERATOR << bit - 10
    return value


def group(*blocks: int) -> list[int]:
    """104 bits of four 16-bit blocks, first bit first."""
    words = [data << 10 | checkword(data) ^ offset for data, offset in zip(blocks, OFFSET_WORDS, strict=True)]
    return [word >> bit & 1 for word in words for bit in range(25, -1, -1)]


def encoded(text: str, name: str, longest: int) -> bytes:
    """Text in the basic character set, of which ASCII is the part that all receivers agree on."""
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        raise Usage(f"{name}={text!r} holds characters that RDS's basic set has elsewhere: use ASCII") from None
    if len(raw) > longest or any(c < 32 for c in raw):
        raise Usage(f"{name}={text!r} must have at most {longest} printable characters")
    return raw


def groups(pi: int, ps: str, rt: str) -> list[tuple[int, int, int, int]]:
    """One round: 0A (station name, two letters each) and 2A (radio text, four letters each) in turn."""
    name = encoded(ps, "ps", 8).ljust(8)
    text = encoded(rt, "rt", 64)
    if len(text) < 64:
        text = (text + b"\r").ljust(-(-(len(text) + 1) // 4) * 4)  # a carriage return ends a shorter text
    word = lambda raw, at: raw[at] << 8 | raw[at + 1]
    rows = []
    segments = len(text) // 4
    for i in range(int(np.lcm(4, segments))):
        letters = 2 * (i % 4)
        stereo = (i % 4 == 3) * 4  # decoder identification, bit d0 goes with the last segment
        rows.append((pi, 0x0000 | PROGRAMME_TYPE << 5 | MUSIC << 3 | stereo | i % 4, NO_AF, word(name, letters)))
        at = 4 * (i % segments)
        rows.append((pi, 0x2000 | PROGRAMME_TYPE << 5 | i % segments, word(text, at), word(text, at + 2)))
    return rows


def biphase(tau: np.ndarray) -> np.ndarray:
    """The symbol of a 1: impulses +1 and −1, half a bit apart, through cos(πfT/4), |f| ≤ 2/T. `tau` in bits."""

    def impulse(t: np.ndarray) -> np.ndarray:
        below = (2 * np.pi * t) ** 2 - (np.pi / 4) ** 2
        edge = np.abs(below) < 1e-9  # there the quotient's limit holds
        return np.where(edge, 2.0, -np.pi / 2 * np.cos(4 * np.pi * t) / np.where(edge, 1.0, below))

    return impulse(tau + 0.25) - impulse(tau - 0.25)


class Rds:
    """The phase (turns) that RDS adds to a carrier: `deviation` · rds(t) · sin(2π 57 kHz t), integrated.

    ∫ r sin ωt dt = −r cos ωt / ω + r′ sin ωt / ω² + …: the next term is 10⁻³ of the first. r and r′ come from a table
    over five neighbouring bits and the place within the middle one.
    """

    def __init__(self, pi: int, ps: str, rt: str, deviation: float, rate: float, count: int):
        bits = np.array([bit for row in groups(pi, ps, rt) for bit in group(*row)], np.uint8)
        coded = np.bitwise_xor.accumulate(bits)  # differential coding
        if coded[-1]:  # an odd number of ones: the second round is the first one inverted
            coded = np.concatenate([coded, 1 - coded])
        around = sum(np.roll(coded, 2 - i).astype(np.intp) << i for i in range(5))  # bit i: neighbour i − 2
        self.rows = np.asarray(around) * STEPS
        tau = (np.arange(-1, STEPS + 1) + 0.5) / STEPS - 0.5
        symbols = np.stack([biphase(tau - (i - 2)) for i in range(5)])
        signs = np.array([[1 if row >> i & 1 else -1 for i in range(5)] for row in range(32)])
        wave = signs @ symbols
        wave /= np.abs(wave).max()
        omega = 2 * np.pi * SUBCARRIER_Hz
        slope = (wave[:, 2:] - wave[:, :-2]) * (STEPS / 2 * float(BAUD))
        self.direct = (-deviation / omega * wave[:, 1:-1]).astype(np.float32).reshape(-1)
        self.slope = (deviation / omega**2 * slope).astype(np.float32).reshape(-1)
        self.pace = BAUD / Fraction(rate) * 2**32
        self.inside = (np.arange(count) * float(self.pace)).astype(np.int64)

    def values(self, first: int, cosine: np.ndarray, sine: np.ndarray) -> np.ndarray:
        """float64 (count,), turns. `cosine`, `sine`: the 57 kHz subcarrier at the same samples."""
        position = self.inside + int(first * self.pace) % (len(self.rows) << 32)
        bit = position >> 32
        lowest = int(bit[0])
        codes = self.rows[np.arange(lowest, int(bit[-1]) + 1) % len(self.rows)]
        index = codes[bit - lowest] + (position >> 22 & (STEPS - 1))
        return self.direct[index] * cosine + self.slope[index] * sine
