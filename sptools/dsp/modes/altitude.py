"""Altitude and identity codes, the two uses of 13 interleaved bits.

    C1 A1 C2 A2 C4 A4 M B1 Q B2 D2 B4 D4        altitude: M 1 metres; Q 1 steps of 25 ft, 0 the Gillham code
    C1 A1 C2 A2 C4 A4 X B1 D1 B2 D2 B4 D4       identity: A B C D are octal digits

Source: ICAO Annex 10 volume IV §3.1.2.6.5.4, appendix to chapter 3 (Gillham code).
"""

from __future__ import annotations

FEET_PER_METRE = 1 / 0.3048


def gray(code: int) -> int:
    """Binary value of a reflected Gray code."""
    value = 0
    while code:
        value ^= code
        code >>= 1
    return value


def gillham(code: int) -> int | None:
    """Feet of the 13 bits with M = Q = 0, or None for a pattern that means nothing."""
    c1, a1, c2, a2, c4, a4, _, b1, _, b2, d2, b4, d4 = (code >> i & 1 for i in range(12, -1, -1))
    hundreds = gray(c1 << 2 | c2 << 1 | c4)
    if hundreds in (0, 5, 6):
        return None
    if hundreds == 7:
        hundreds = 5
    five_hundreds = gray(d2 << 7 | d4 << 6 | a1 << 5 | a2 << 4 | a4 << 3 | b1 << 2 | b2 << 1 | b4)
    if five_hundreds & 1:  # the hundreds run backwards in every other step
        hundreds = 6 - hundreds
    return five_hundreds * 500 + hundreds * 100 - 1300


def altitude13(code: int) -> int | None:
    """Feet of the 13-bit field of DF 0, 4, 16 and 20; None: not available."""
    if not code:
        return None
    if code & 0x40:
        return round((code >> 1 & 0xFC0 | code & 0x3F) * FEET_PER_METRE)
    if code & 0x10:
        return (code >> 2 & 0x7E0 | code >> 1 & 0x10 | code & 0xF) * 25 - 1000
    return gillham(code)


def altitude12(code: int) -> int | None:
    """Feet of the 12-bit field of an airborne position: the same without M."""
    if code & 0x10:
        return (code >> 1 & 0x7F0 | code & 0xF) * 25 - 1000
    return gillham(code << 1 & 0x1F80 | code & 0x3F) if code else None


def squawk(code: int) -> str:
    """Four octal digits of the 13-bit identity field."""
    c1, a1, c2, a2, c4, a4, _, b1, d1, b2, d2, b4, d4 = (code >> i & 1 for i in range(12, -1, -1))
    a, b, c, d = a4 << 2 | a2 << 1 | a1, b4 << 2 | b2 << 1 | b1, c4 << 2 | c2 << 1 | c1, d4 << 2 | d2 << 1 | d1
    return f"{a}{b}{c}{d}"
