"""Dropout on arrays, with the key and the counter that its mask is drawn from."""

from __future__ import annotations

from luxport.backend import Array, namespace
from luxport.ops.operation import operation
from luxport.ops.random_bits import random_bits

__all__ = ["dropout", "keep_mask"]


@operation
def dropout(x: Array, key: Array, counter: Array, *, p: float, axes: tuple[int, ...] | None = None) -> Array:
    """Zero each entry with probability p and scale the others by 1 / (1 - p).

    The mask varies along `axes` (all of them if None) and is shared along the others.

    Shapes: x (...), key (2,) int32, counter () int32 -> like x
    Source: NNlib ``dropout``
    """
    xp = namespace(x, key, counter)
    if p >= 1.0:
        return xp.zeros_like(x)
    shape = tuple(x.shape)
    if axes is not None:
        varying = {axis % len(shape) for axis in axes}
        shape = tuple(n if axis in varying else 1 for axis, n in enumerate(shape))
    return xp.where(keep_mask(key, counter, shape=shape, p=p), x * (1.0 / (1.0 - p)), xp.zeros_like(x))


def keep_mask(key: Array, counter: Array, *, shape: tuple[int, ...], p: float) -> Array:
    """Draw booleans that are false with probability p, to 32 bits: integers against a threshold.

    Shapes: key (2,) int32, counter () int32 -> shape, bool
    """
    threshold = min(round(p * 2**32), 2**32 - 1) - 2**31
    return random_bits(key, counter, shape=shape) >= threshold
