"""Means of numbers of any size: a sum that overflows is that of smaller numbers where its mean does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.backend import Array, namespace
from luxport.ops._operation import operation
from luxport.ops.looking import prefer_finite
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["average", "take_mean", "take_smaller"]

_SMALLER = 2.0**-64
"""A power of 2, which is exact. Where a sum overflows, what vanishes by it would vanish beside the sum, too."""


@operation
def average(x: Array, *, mean: Callable[[Array], Array]) -> Array:
    """Return ``mean(x)``, means of many numbers, also where their sums would overflow and they do not.

    Where nobody can look at the result, both are taken, which a compiler does in one pass over x.

    Args:
        mean: sums x in parts and divides the sums: ``mean(a x)`` is ``a mean(x)``

    Shapes: x (...), no half type, whose sums are to be taken in float32 -> what `mean` returns
    """

    def take_both() -> Array:
        xp, found = namespace(x), mean(x)
        return xp.where(xp.isfinite(stop_gradient(found)), found, take_smaller(x, mean))

    return prefer_finite(x, lambda: mean(x), take_both)


def take_smaller(x: Array, mean: Callable[[Array], Array]) -> Array:
    """Return ``mean(x)`` by way of smaller numbers, whose sums do not overflow."""
    return mean(x * _SMALLER) * (1.0 / _SMALLER)


def take_mean(xp: Any, x: Array, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Array:
    """Return the mean along axes as the namespace's ``mean`` does, also where the sum alone would overflow."""
    return average(x, mean=lambda x: xp.mean(x, axis=axis, keepdims=keepdims))
