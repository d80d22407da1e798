"""Mode S messages: fields → hexadecimal. Source: ICAO Annex 10 IV §3.1.2, Doc 9871; CPR: DO-260B A.1.7."""

import math

GENERATOR = 0x1FFF409
ALPHABET = "#ABCDEFGHIJKLMNOPQRSTUVWXYZ##### ###############0123456789######"


def parity(value: int, bits: int) -> int:
    """The 24-bit remainder of `bits` bits followed by 24 zeros."""
    value <<= 24
    for bit in range(bits + 23, 23, -1):
        if value >> bit & 1:
            value ^= GENERATOR << bit - 24
    return value


def sealed(value: int, bits: int, overlay: int = 0) -> str:
    """Hexadecimal of a message whose last 24 bits are parity xor `overlay`."""
    return f"{value << 24 | parity(value, bits) ^ overlay:0{(bits + 24) // 4}X}"


def join(*fields: tuple[int, int]) -> int:
    """(value, bits) pairs, first one highest."""
    total = 0
    for value, bits in fields:
        total = total << bits | value & (1 << bits) - 1
    return total


def squitter(icao: int, me: int) -> str:
    """DF17, capability 5 (airborne), with 56 bits of message."""
    return sealed(join((17, 5), (5, 3), (icao, 24), (me, 56)), 88)


def all_call(icao: int) -> str:
    """DF11, to interrogator 0."""
    return sealed(join((11, 5), (5, 3), (icao, 24)), 32)


def altitude_reply(icao: int, feet: float) -> str:
    """DF4: the parity carries the address."""
    return sealed(join((4, 5), (0, 3), (0, 5), (0, 6), (altitude13(feet), 13)), 32, icao)


def identity_reply(icao: int, squawk: str) -> str:
    """DF5."""
    return sealed(join((5, 5), (0, 3), (0, 5), (0, 6), (identity13(squawk), 13)), 32, icao)


def steps(feet: float) -> int:
    return max(0, min(2047, round((feet + 1000) / 25)))


def altitude12(feet: float) -> int:
    """25 ft steps, Q bit set."""
    n = steps(feet)
    return n >> 4 << 5 | 1 << 4 | n & 15


def altitude13(feet: float) -> int:
    """The same with the M bit (0: feet) in the middle."""
    n = altitude12(feet)
    return n >> 6 << 7 | n & 63


def identity13(squawk: str) -> int:
    """Bits C1 A1 C2 A2 C4 A4 0 B1 D1 B2 D2 B4 D4 of four octal digits ABCD."""
    a, b, c, d = (int(digit) for digit in squawk)
    order = ((c, 0), (a, 0), (c, 1), (a, 1), (c, 2), (a, 2), (0, 0), (b, 0), (d, 0), (b, 1), (d, 1), (b, 2), (d, 2))
    return join(*((digit >> bit, 1) for digit, bit in order))


def identification(callsign: str) -> int:
    """Type 4, category 3 (large aircraft), eight characters."""
    return join((4, 5), (3, 3), *((ALPHABET.index(c), 6) for c in callsign.ljust(8)))


def airborne_position(feet: float, latitude: float, longitude: float, odd: int) -> int:
    """Type 11 (barometric, containment 0.1 NM), single frame of an even/odd pair."""
    yz, xz = cpr(latitude, longitude, odd)
    return join((11, 5), (0, 2), (0, 1), (altitude12(feet), 12), (0, 1), (odd, 1), (yz, 17), (xz, 17))


def velocity(east_kt: float, north_kt: float, climb_fpm: float) -> int:
    """Type 19, subtype 1: over ground, below the speed of sound; vertical rate by GNSS, 64 ft/min steps."""
    ew, ns, up = round(east_kt), round(north_kt), round(climb_fpm / 64)
    return join(
        (19, 5), (1, 3), (0, 1), (0, 1), (0, 3), (ew < 0, 1), (abs(ew) + 1, 10), (ns < 0, 1), (abs(ns) + 1, 10),
        (0, 1), (up < 0, 1), (abs(up) + 1, 9), (0, 2), (0, 1), (0, 7),
    )  # fmt: skip


def zones(latitude: float) -> int:
    """NL: longitude zones at a latitude."""
    if abs(latitude) >= 87:
        return 2 if abs(latitude) == 87 else 1
    ratio = (1 - math.cos(math.pi / 30)) / math.cos(math.radians(latitude)) ** 2
    return math.floor(2 * math.pi / math.acos(1 - ratio))


def cpr(latitude: float, longitude: float, odd: int) -> tuple[int, int]:
    """Compact position, 17 bits each."""
    height = 360 / (60 - odd)
    yz = math.floor(2**17 * (latitude % height) / height + 0.5)
    received = height * (yz / 2**17 + latitude // height)
    width = 360 / max(zones(received) - odd, 1)
    xz = math.floor(2**17 * (longitude % width) / width + 0.5)
    return yz % 2**17, xz % 2**17
