"""Random bits for layers: Threefry-2x32-20, with the same bits on every backend.

It is computed in int32, which all backends have: sums wrap around as those of uint32, and right shifts are masked.
"""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, find_array_device, namespace
from luxport.backend.option_rules import SHAPE
from luxport.ops._operation import operation
from luxport.ops._special_functions import evaluate_polynomial

__all__ = ["KEY_AND_COUNTER", "ROTATIONS", "normal", "random_bits", "threefry_2x32", "uniform"]

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
"""By how many bits Threefry-2x32 rotates words in its rounds: these groups of four rounds alternate."""


KEY_AND_COUNTER = "key int32 (2), counter int32 ()"
"""The arrays that numbers are drawn from, in the notation of `operation`."""


@operation(takes="key int32 (2), counters int32 (..., 2)")
def threefry_2x32(key: Array, counters: Array) -> Array:
    """Encrypt pairs of words: the Threefry-2x32 block cipher with 20 rounds.

    Shapes: key (2,), counters (..., 2) -> (..., 2), all int32 read as 32-bit words
    Source: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), with Random123's constants

    >>> import numpy as np
    >>> words = threefry_2x32(np.zeros(2, np.int32), np.zeros((1, 2), np.int32))
    >>> [hex(int(word) & 0xFFFFFFFF) for word in words[0]]
    ['0x6b200159', '0x99ba4efe']
    """
    xp = namespace(key)
    return xp.stack(encrypt_words(xp, key, counters[..., 0], counters[..., 1]), axis=-1)


@operation(takes=KEY_AND_COUNTER, rules={"shape": SHAPE})
def random_bits(key: Array, counter: Array, *, shape: tuple[int, ...]) -> Array:
    """Draw 32 random bits per element, as int32.

    Block j of the cipher encrypts the words (counter, j) and gives elements 2j and 2j + 1 in C order. So shards of the
    result can be drawn independently, and the bits of a larger shape start with those of a smaller one. The result is
    on the device of the key.

    Args:
        shape: the shape of the result

    Shapes: key (2,) int32, counter () int32 -> shape, int32

    >>> import numpy as np
    >>> random_bits(np.zeros(2, np.int32), np.array(0, np.int32), shape=(2,))
    array([ 1797259609, -1715843330], dtype=int32)
    """
    xp = namespace(key)
    size = math.prod(shape)
    blocks = xp.arange((size + 1) // 2, dtype=xp.int32, device=find_array_device(key))
    first = xp.zeros_like(blocks) + counter
    bits = xp.stack(encrypt_words(xp, key, first, blocks), axis=-1)
    return xp.reshape(xp.reshape(bits, (-1,))[:size], shape)


@operation(takes=KEY_AND_COUNTER, rules={"shape": SHAPE})
def uniform(key: Array, counter: Array, *, shape: tuple[int, ...]) -> Array:
    """Draw float32 values from [0, 1), from the top 24 of 32 random bits: the same on every backend, bit for bit.

    Args:
        shape: the shape of the result

    Shapes: key (2,) int32, counter () int32 -> shape, float32
    """
    xp = namespace(key)
    bits = random_bits(key, counter, shape=shape)
    top = xp.bitwise_and(xp.bitwise_right_shift(bits, 8), 0xFFFFFF)
    return xp.astype(top, xp.float32) * 2.0**-24


@operation(takes=KEY_AND_COUNTER, rules={"shape": SHAPE})
def normal(key: Array, counter: Array, *, shape: tuple[int, ...]) -> Array:
    """Draw float32 values from the standard normal distribution, none beyond 5.5.

    ``sqrt(2) erfinv(x)`` at the odd multiples x of 2^-23 in (-1, 1), from the top 23 of 32 random bits. Backends
    differ in the last bits of their logarithms, so the values agree to a few units in the last place.

    Args:
        shape: the shape of the result

    Shapes: key (2,) int32, counter () int32 -> shape, float32
    Source: M. Giles, "Approximating the erfinv function" (2011), single precision
    """
    xp = namespace(key)
    bits = random_bits(key, counter, shape=shape)
    # 23 bits and the added half fit the 24 bits of a float32, so that x is exact and never 1.
    top = xp.bitwise_and(xp.bitwise_right_shift(bits, 9), 0x7FFFFF)
    x = (xp.astype(top, xp.float32) + 0.5) * 2.0**-22 - 1.0
    w = -xp.log((1.0 - x) * (1.0 + x))
    center = evaluate_polynomial(_CENTER, w - 2.5)
    tail = evaluate_polynomial(_TAIL, xp.sqrt(w) - 3.0)
    return xp.where(w < 5.0, center, tail) * x * math.sqrt(2.0)


def encrypt_words(xp: Any, key: Array, x0: Array, x1: Array) -> list[Array]:
    """Run the 20 rounds on two arrays of words of one shape."""
    # Slices, not scalars: NumPy warns when scalars wrap around.
    k0, k1 = key[0:1], key[1:2]
    parity = xp.bitwise_xor(xp.bitwise_xor(k0, k1), 0x1BD11BDA)
    keys = (k0, k1, parity)
    shape = x0.shape
    x0, x1 = xp.reshape(x0, (-1,)) + k0, xp.reshape(x1, (-1,)) + k1
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = xp.bitwise_xor(_rotate_left(xp, x1, rotation), x0)
        x0 = x0 + keys[(group + 1) % 3]
        x1 = x1 + (keys[(group + 2) % 3] + (group + 1))
    return [xp.reshape(x0, shape), xp.reshape(x1, shape)]


def _rotate_left(xp: Any, x: Array, distance: int) -> Array:
    left = xp.bitwise_left_shift(x, distance)
    # A right shift of an int32 fills up with its sign, which the mask removes.
    right = xp.bitwise_right_shift(x, 32 - distance)
    return xp.bitwise_or(left, xp.bitwise_and(right, (1 << distance) - 1))


# Giles' polynomials for erfinv(x) / x, the highest power first: in w - 2.5 below w = 5, in sqrt(w) - 3 above.
_CENTER = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087),
    *(-0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)
_TAIL = (
    *(-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773),
    *(-0.0076224613, 0.00943887047, 1.00167406, 2.83297682),
)
