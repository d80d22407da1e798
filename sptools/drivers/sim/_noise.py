"""Receiver noise, quickly: two banks of Gaussian numbers, added at pseudo-random places that only the cell decides."""

import numpy as np

UNIT = 64  # fixed-point steps in one step of the cu8 output
BANK = 1 << 20  # components in a bank, 2 MiB
LIMIT = 125 * UNIT  # a component of one bank; two of them and a full-scale signal stay within int16


def scramble(*values: int) -> int:
    """A 64-bit hash of small integers (splitmix64): the same everywhere, unlike Python's own."""
    state = 0
    for value in values:
        state = (state + value + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ state >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state


class Noise:
    """White Gaussian noise of standard deviation `sigma` per component, in steps of cu8, plus the constant `bias`.

    Drawing fresh numbers costs 8 ns each; adding two stored runs costs 0.2. Each cell reads both banks from its own
    places, so a run of noise comes back only when both places do: after about 2⁴⁰ cells, not after one bank.
    """

    def __init__(self, seed: int, sigma: float, bias: float):
        random = np.random.Generator(np.random.SFC64([seed, 20]))
        self.seed = seed
        self.banks = [np.empty(BANK, np.int16) for _ in range(2)]
        for bank, add in zip(self.banks, (bias, 0.0), strict=True):
            numbers = random.standard_normal(BANK, np.float32)
            numbers *= np.float32(sigma * UNIT * 0.5**0.5)
            np.clip(np.rint(numbers, out=numbers), -LIMIT, LIMIT, out=numbers)
            numbers += np.float32(round(add * UNIT))
            np.copyto(bank, numbers, casting="unsafe")

    def write(self, cell: int, out: np.ndarray) -> None:
        """Noise and bias of a whole cell into `out`, int16 (components,), in 1/64 of a cu8 step."""
        places = scramble(self.seed, cell)
        room = BANK - len(out) + 1
        first, second = (places & 0xFFFFFFFF) % room, (places >> 32) % room
        np.add(self.banks[0][first : first + len(out)], self.banks[1][second : second + len(out)], out=out)
