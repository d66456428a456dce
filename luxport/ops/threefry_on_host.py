"""Random bits on the host: the cipher in NumPy, in place, on pieces that fit the processor's cache.

The NumPy backend uses it, and so may a backend whose arrays share memory with NumPy's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from luxport.ops._random_bits import ROTATIONS

__all__ = ["random_bits", "threefry_2x32"]

_PIECE = 2**16


def threefry_2x32(key: Any, counters: Any) -> Any:
    """Do what `luxport.ops.threefry_2x32` does, on a copy of the counters."""
    words = np.array(counters, np.int32).view(np.uint32)
    pairs = words.reshape(-1, 2)
    for piece in _yield_pieces(len(pairs)):
        x0, x1 = pairs[piece, 0].copy(), pairs[piece, 1].copy()
        _encrypt(key, x0, x1)
        pairs[piece, 0], pairs[piece, 1] = x0, x1
    return words.view(np.int32)


def random_bits(key: Any, counter: Any, *, shape: tuple[int, ...]) -> Any:
    """Do what `luxport.ops.random_bits` does, one piece after the other."""
    size = math.prod(shape)
    pairs = np.empty(((size + 1) // 2, 2), np.uint32)
    for piece in _yield_pieces(len(pairs)):
        x1 = np.arange(piece.start, piece.stop, dtype=np.uint32)
        x0 = np.full_like(x1, int(counter) & 0xFFFFFFFF)
        _encrypt(key, x0, x1)
        pairs[piece, 0], pairs[piece, 1] = x0, x1
    return pairs.reshape(-1)[:size].view(np.int32).reshape(shape)


def _yield_pieces(length: int) -> Iterator[slice]:
    for start in range(0, length, _PIECE):
        yield slice(start, min(start + _PIECE, length))


def _encrypt(key: Any, x0: Any, x1: Any) -> None:
    """Run the 20 rounds on two arrays of uint32, in place."""
    k0, k1 = int(key[0]) & 0xFFFFFFFF, int(key[1]) & 0xFFFFFFFF
    keys = (k0, k1, k0 ^ k1 ^ 0x1BD11BDA)
    left = np.empty_like(x1)
    x0 += np.uint32(k0)
    x1 += np.uint32(k1)
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x0 += x1
            np.left_shift(x1, np.uint32(rotation), out=left)
            x1 >>= np.uint32(32 - rotation)
            x1 |= left
            x1 ^= x0
        x0 += np.uint32(keys[(group + 1) % 3])
        x1 += np.uint32((keys[(group + 2) % 3] + group + 1) & 0xFFFFFFFF)
