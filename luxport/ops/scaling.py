"""Sums of powers that neither overflow nor vanish: where they might, numbers are divided by the largest first."""

from __future__ import annotations

from typing import Any

from luxport.backend import Array
from luxport.backend.dtypes import is_double
from luxport.ops.moments import is_variance_usual
from luxport.ops.readable_values import may_look
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["add_after", "find_divisor", "sum_squares"]


def sum_squares(
    xp: Any, x: Array, axes: int | tuple[int, ...] | None, least: float = 0.0
) -> tuple[Array, Array, Array | None]:
    """Return x, the sum of its squares along axes, which are kept, and None.

    If squares might overflow or vanish, return ``x / size``, the sum of the squares of that, and the size. It is at
    least `least`, the smallest norm of interest.
    """
    total = xp.sum(x * x, axis=axes, keepdims=True)
    if 0 in x.shape or (may_look(total) and is_variance_usual(xp, total, 0.0)):
        return x, total, None
    size = find_divisor(xp, x, axes, 2.0)
    size = xp.where(size < least, xp.full_like(size, least), size)
    x = x / size
    return x, xp.sum(x * x, axis=axes, keepdims=True), size


def add_after(xp: Any, difference: Array, constant: float) -> Array:
    """Return ``difference + constant``, safe from a compiler that reorders the sum.

    TensorFlow's, given ``(a - b) + constant``, adds the constant to one of a and b. If they are large and nearly equal,
    it is then lost in rounding.
    """
    held = stop_gradient(difference)
    return difference + xp.where(held == held, constant, held)


def find_divisor(xp: Any, x: Array, axes: int | tuple[int, ...] | None, p: float) -> Array:
    """Return what to divide by so that p-th powers neither overflow nor vanish; 1 where they would not.

    It is the largest magnitude along axes, which are kept, or a 16th of it, without a gradient.
    """
    bound = 2.0 ** ((640 if is_double(x) else 80) / max(p, 1.0))
    size = xp.abs(stop_gradient(x))
    size = size if axes == () else xp.max(size, axis=axes, keepdims=True)
    large = xp.logical_and(size > bound, xp.isfinite(size))
    small = xp.logical_and(size * bound < 1, size > 0)
    # A compiler may multiply by the inverse, which would vanish for the very largest numbers: hence a 16th.
    size = xp.where(large, size * 0.0625, size)
    return xp.where(xp.logical_or(large, small), size, xp.ones_like(size))
