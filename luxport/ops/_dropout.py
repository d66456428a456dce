"""Dropout, whose mask is drawn from a key and a counter."""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, namespace
from luxport.backend.dtypes import expect_floating
from luxport.backend.option_rules import PROBABILITY, SHAPE, Rule, allow_none, is_int
from luxport.errors import LayerError
from luxport.ops._operation import operation
from luxport.ops._random_bits import KEY_AND_COUNTER, random_bits
from luxport.ops.shapes import read_sizes

__all__ = ["alpha_dropout", "dropout", "keep_mask", "find_mask_shape"]


_AXES = Rule("a tuple of axes", lambda value, shape: isinstance(value, tuple) and all([is_int(n) for n in value]))


@operation(takes=f"x inexact, {KEY_AND_COUNTER}", rules={"p": PROBABILITY, "axes": allow_none(_AXES)})
def dropout(x: Array, key: Array, counter: Array, *, p: float, axes: tuple[int, ...] | None = None) -> Array:
    """Zero each entry with probability p and scale the others by 1 / (1 - p).

    A dropped entry is zero even if it was NaN.

    Args:
        p: the probability, from 0 to 1
        axes: the axes along which the mask varies, a tuple; None for all. Along the others it is the same

    Shapes: x (...) floating or complex, key (2,) int32, counter () int32 -> like x
    Raises: ValueError unless 0 <= p <= 1; LayerError (a ValueError) unless the axes are distinct axes of x
    Source: NNlib ``dropout``

    >>> import numpy as np
    >>> dropout(np.ones((2, 3), np.float32), np.zeros(2, np.int32), np.array(0, np.int32), p=0.5, axes=(1,))
    array([[2., 0., 2.],
           [2., 0., 2.]], dtype=float32)
    """
    xp = namespace(x, key, counter)
    expect_floating(x)
    shape = find_mask_shape(read_sizes(x), axes)
    if p == 1:
        return xp.zeros_like(x)
    return xp.where(keep_mask(key, counter, shape=shape, p=p), x * (1.0 / (1.0 - p)), xp.zeros_like(x))


@operation(takes=f"x floating, {KEY_AND_COUNTER}", rules={"p": PROBABILITY})
def alpha_dropout(x: Array, key: Array, counter: Array, *, p: float) -> Array:
    """Set each entry to the limit of `selu` with probability p, then restore a mean of 0 and a variance of 1.

    ``a where(kept, x, -1.758...) + b``, with a and b that preserve a mean of 0 and a variance of 1. For p = 1 the
    result is zeros.

    Args:
        p: the probability, from 0 to 1

    Shapes: x (...) floating, key (2,) int32, counter () int32 -> like x
    Raises: ValueError unless 0 <= p <= 1
    Source: G. Klambauer et al., "Self-normalizing neural networks" (2017); LuxLib ``alpha_dropout``

    >>> import numpy as np
    >>> alpha_dropout(np.ones(4, np.float32), np.zeros(2, np.int32), np.array(0, np.int32), p=0.5).round(3)
    array([ 1.666, -0.779,  1.666, -0.779], dtype=float32)
    """
    xp = namespace(x, key, counter)
    expect_floating(x)
    mask = keep_mask(key, counter, shape=read_sizes(x), p=p)
    return xp.zeros_like(x) if p == 1 else drop_alpha(xp, x, mask, p)


def drop_alpha(xp: Any, x: Array, mask: Array, p: float) -> Array:
    """Return x with the limit of `selu` where the mask is false, scaled and shifted; for p < 1."""
    a = 1.0 / math.sqrt((1.0 - p) * (1.0 + p * _SELU_LIMIT * _SELU_LIMIT))
    return xp.where(mask, x * a, xp.full_like(x, a * _SELU_LIMIT)) - a * _SELU_LIMIT * p


_SELU_LIMIT = -1.7580993408473766
"""The limit of `selu` at -inf: minus its scale times its alpha."""


@operation(takes=KEY_AND_COUNTER, rules={"p": PROBABILITY, "shape": SHAPE})
def keep_mask(key: Array, counter: Array, *, shape: tuple[int, ...], p: float) -> Array:
    """Draw booleans that are false with probability p, by comparing 32 random bits with a threshold.

    Args:
        shape: the shape of the result
        p: the probability, from 0 to 1

    Shapes: key (2,) int32, counter () int32 -> shape, bool
    Raises: ValueError unless 0 <= p <= 1
    """
    bits = random_bits(key, counter, shape=shape)
    # For p = 1 the threshold would be 2^31, which is no int32.
    return bits >= round(p * 2**32) - 2**31 if p < 1 - 2**-33 else bits != bits


def find_mask_shape(shape: tuple[Any, ...], axes: tuple[int, ...] | None) -> tuple[Any, ...]:
    """Return the shape of a mask that varies along `axes` of an array and broadcasts along the others.

    Raises: LayerError unless the axes are distinct axes of the array

    >>> find_mask_shape((8, 3, 32, 32), (0, 1))
    (8, 3, 1, 1)
    """
    if axes is None:
        return shape
    ndim = len(shape)
    varying = {axis % ndim for axis in axes if -ndim <= axis < ndim}
    if len(varying) != len(axes):
        raise LayerError(f"expects axes that differ and lie in [-{ndim}, {ndim}), got {axes}")
    return tuple(n if axis in varying else 1 for axis, n in enumerate(shape))
