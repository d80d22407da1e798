"""Avro's int and long: zigzag, then seven bits a byte, the lowest first. Source: Avro 1.11 specification, binary encoding."""

from __future__ import annotations


def encode(value: int) -> bytes:
    """`value`: int64."""
    z = (value << 1) ^ (value >> 63)
    if z < 0x80:
        return bytes((z,))
    out = bytearray()
    while z > 0x7F:
        out.append(z & 0x7F | 0x80)
        z >>= 7
    out.append(z)
    return bytes(out)


def decode(data: bytes | bytearray | memoryview, pos: int) -> tuple[int, int]:
    """The int64 at `pos` and the position after it. IndexError: `data` ends before; ValueError: not an int64."""
    z = data[pos]
    pos += 1
    if z > 0x7F:
        shift = 7
        while True:
            byte = data[pos]
            pos += 1
            # 1 << shift is taken off for the continuation bit of the byte before
            z += (byte - 1) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise ValueError("a number of more than 10 bytes")
    if z >> 64:
        raise ValueError("a number beyond 64 bits")
    return (z >> 1) ^ -(z & 1), pos
