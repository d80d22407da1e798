"""A batch RDS decoder for tests: coherent over the whole recording, no repair."""

import numpy as np
from scipy import signal

GENERATOR = 0b10110111001
OFFSETS = (0b0011111100, 0b0110011000, 0b0101101000, 0b0110110100)


def divisible(word: int) -> bool:
    """Is a 26-bit word a multiple of the generator?"""
    for shift in range(15, -1, -1):
        if word >> (shift + 10) & 1:
            word ^= GENERATOR << shift
    return word == 0


def groups(mpx: np.ndarray, rate: float) -> list[tuple[int, int, int, int]]:
    """All groups whose four blocks are without error."""
    n = np.arange(len(mpx))
    base = signal.upfirdn(signal.firwin(801, 2.4e3, fs=rate), mpx * np.exp(-2j * np.pi * 57e3 * n / rate), down=1)
    base = base[801:-801]
    squared = np.sum(base**2)
    real = (base * np.exp(-0.5j * np.angle(squared))).real
    bit = rate / 1187.5
    half = round(bit / 2)
    # Manchester: the mean of a bit's first half less that of its second one
    total = np.concatenate([[0.0], np.cumsum(real)])
    soft = 2 * total[half:-half] - total[: -2 * half] - total[2 * half :]
    places = (bit * np.arange(int(len(soft) / bit) - 2)).astype(int)
    best = max(range(int(bit)), key=lambda at: np.mean(np.abs(soft[at + places])))
    symbols = soft[best + places] > 0
    bits = (symbols[1:] ^ symbols[:-1]).astype(int)
    words = lambda at: [int("".join(map(str, bits[at + 26 * i : at + 26 * i + 26])), 2) for i in range(4)]
    found = []
    for at in range(len(bits) - 104):
        if divisible(int("".join(map(str, bits[at : at + 26])), 2) ^ OFFSETS[0]):
            blocks = words(at)
            if all(divisible(w ^ o) for w, o in zip(blocks, OFFSETS, strict=True)):
                found.append(tuple(w >> 10 for w in blocks))
    return found
