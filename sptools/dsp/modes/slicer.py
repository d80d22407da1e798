"""Pulse heights → bits. A bit is two half bits of 0.5 µs: 1 is a pulse then silence, 0 silence then a pulse.

`plain` compares the halves. `equalised` undoes sampling between two half bits: a share e of each pulse then leaks into
the sample after it (late) or before it (early). Of 159 messages in the bundled recording, 15 need it.

Late, with a and b the halves of a bit: after a 1 the next a lacks what a pulse just before would have leaked into it, and
counts (1+e)·a; after a 0 it holds that leak and counts (1−e)·a. So (1−e)·a > b is a 1, (1+e)·a ≤ b is a 0, and between them the
bit equals its predecessor. The share e is what the preamble shows: leaks / (leaks + pulses). Early is the same with time
reversed and the halves exchanged. The idea is Oliver Jowett's (dump1090), there a loop over bits. Here the run of equal
bits is the carry of one addition: (one | like) + one has a carry out of bit i exactly if bit i is sure to be 1, or is like
a predecessor that has one. That costs a dozen operations for all candidates of a chunk instead of 112 dependent steps.
"""

from __future__ import annotations

import numpy as np

BEFORE = 1  # the sample ahead of the first pulse shows an early leak
DATA = 16  # samples from the first pulse to the first half bit
HALVES = 224
SPAN = DATA + HALVES
BITS = 112

# What is asked of the preamble, a column each: pulses, silence, leaks when early, when late. A product with whole numbers
# below 2^24 is exact in float32, whatever the order, and spares 30 operations on columns.
SUMS = np.zeros((BEFORE + DATA, 4), np.float32)
for _column, _weight, _at in ((0, 1, (0, 2, 7, 9)), (1, 1, (4, 5, 11, 12, 13, 14)), (2, 2, (-1, 6)), (3, 2, (3, 10))):
    SUMS[[BEFORE + at for at in _at], _column] = _weight

_U1 = np.uint64(1)
_TOP = np.uint64(63)
# reversal of a byte's bits
FLIP = np.array([int(f"{i:08b}"[::-1], 2) for i in range(256)], np.uint8)


def pack(flags: np.ndarray) -> np.ndarray:
    """bool (n, 112) → uint8 (n, 14), first bit lowest."""
    return np.packbits(flags, axis=1, bitorder="little")


def sums(window: np.ndarray) -> np.ndarray:
    """`window`: uint16 (n, BEFORE + SPAN), from the sample before the first pulse. Returns pulses, silence, early and late
    leak, float32 (4, n)."""
    return (window[:, : BEFORE + DATA].astype(np.float32) @ SUMS).T


def halves(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`window`: as in `sums`. Returns the first and the second half of each bit, uint16 (n, 112).

    Each in one piece: whatever compares or adds them later takes a fifth of the time.
    """
    first = BEFORE + DATA
    return np.ascontiguousarray(window[:, first::2]), np.ascontiguousarray(window[:, first + 1 :: 2])


def plain(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a`, `b`: the halves, uint16 (n, 112). Returns packed bits, uint8 (n, 14)."""
    return pack(a > b)


def numbers(packed: np.ndarray) -> tuple[list[str], list[int], list[int], list[int]]:
    """What the decoder wants of each message: hexadecimal text; bits 8–31 (address), 0–55 and 32–87 (ME) as integers.

    `packed`: uint8 (n, 14). Made for all messages of a chunk at once: half the time of one integer of 112 bits each.
    """
    raw = FLIP[packed]
    text = raw.tobytes().hex().upper()
    wide = np.zeros((2, len(raw), 8), np.uint8)
    wide[0, :, 1:], wide[1, :, 1:] = raw[:, :7], raw[:, 4:11]
    head, me = wide.view(">u8")[..., 0]
    address = head >> np.uint64(24) & np.uint64(0xFFFFFF)
    return [text[at : at + 28] for at in range(0, len(text), 28)], address.tolist(), head.tolist(), me.tolist()


def equalised(sums: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """As `plain`, with the leak undone. `sums`: float32 (4, n), see there."""
    pulses, _, early, late = sums
    most = np.maximum(early, late)
    share, ahead = most / (most + pulses), early > late
    a, b = a.astype(np.float32), b.astype(np.float32)
    a[ahead], b[ahead] = b[ahead, ::-1], a[ahead, ::-1]
    less, more = (1 - share)[:, None], (1 + share)[:, None]
    one, like = a * less > b, a * more > b  # where both hold, `like` is of no account
    one[:, 0] = like[:, 0]  # silence stands before the first bit
    bits = carries(pack(one), pack(like))
    bits[ahead] = FLIP[~bits[ahead, ::-1]]
    return bits


def carries(one: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Bit i is `one` i, or (`like` i and bit i−1). Packed, uint8 (n, 14) each, first bit lowest."""
    x, y = np.zeros((2, len(one), 16), np.uint8)
    x[:, :14], y[:, :14] = one | like, one
    x, y = x.view("<u8"), y.view("<u8")
    total = x + y
    over = (total[:, 0] < x[:, 0]).astype(np.uint64)
    total[:, 1] += over
    into = x ^ y ^ total  # carries into each place; the decision i is the carry into i+1
    out = into >> _U1
    out[:, 0] |= (into[:, 1] & _U1) << _TOP
    return np.ascontiguousarray(out.view(np.uint8)[:, :14])
