"""The checksum of HDF5's metadata, Bob Jenkins's lookup3 hash."""

from __future__ import annotations

import struct

__all__ = ["compute_lookup3"]

_MASK = 0xFFFFFFFF


def compute_lookup3(data: bytes | memoryview) -> int:
    """Return the 32-bit hash of bytes, ``hashlittle(data, 0)`` of lookup3.c.

    Source: lookup3.c, Bob Jenkins, May 2006, public domain (the results of its ``driver5`` are test cases)

    >>> hex(compute_lookup3(b"Four score and seven years ago"))
    '0x17770551'
    """
    size = len(data)
    a = b = c = (0xDEADBEEF + size) & _MASK
    if size == 0:
        return c
    # Blocks have 12 bytes; the last one, of 1 to 12 bytes padded with zeros, is mixed differently below.
    padded = bytes(data) + bytes(-size % 12)
    words = struct.unpack(f"<{len(padded) // 4}I", padded)
    for i in range(0, len(words) - 3, 3):
        a = (a + words[i]) & _MASK
        b = (b + words[i + 1]) & _MASK
        c = (c + words[i + 2]) & _MASK
        a = ((a - c) & _MASK) ^ (c << 4 & _MASK | c >> 28)
        c = (c + b) & _MASK
        b = ((b - a) & _MASK) ^ (a << 6 & _MASK | a >> 26)
        a = (a + c) & _MASK
        c = ((c - b) & _MASK) ^ (b << 8 & _MASK | b >> 24)
        b = (b + a) & _MASK
        a = ((a - c) & _MASK) ^ (c << 16 & _MASK | c >> 16)
        c = (c + b) & _MASK
        b = ((b - a) & _MASK) ^ (a << 19 & _MASK | a >> 13)
        a = (a + c) & _MASK
        c = ((c - b) & _MASK) ^ (b << 4 & _MASK | b >> 28)
        b = (b + a) & _MASK
    a = (a + words[-3]) & _MASK
    b = (b + words[-2]) & _MASK
    c = (c + words[-1]) & _MASK
    c = ((c ^ b) - (b << 14 & _MASK | b >> 18)) & _MASK
    a = ((a ^ c) - (c << 11 & _MASK | c >> 21)) & _MASK
    b = ((b ^ a) - (a << 25 & _MASK | a >> 7)) & _MASK
    c = ((c ^ b) - (b << 16 & _MASK | b >> 16)) & _MASK
    a = ((a ^ c) - (c << 4 & _MASK | c >> 28)) & _MASK
    b = ((b ^ a) - (a << 14 & _MASK | a >> 18)) & _MASK
    return ((c ^ b) - (b << 24 & _MASK | b >> 8)) & _MASK
