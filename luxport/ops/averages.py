"""Means that do not overflow: where a sum would, it is taken of smaller numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.backend import Array, namespace
from luxport.ops._operation import operation
from luxport.ops.readable_values import prefer_finite
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["average", "take_mean", "take_smaller"]

_SMALLER = 2.0**-64
"""A power of 2, by which products are exact. A number that it makes vanish is negligible in a sum that overflows."""


@operation
def average(x: Array, *, mean: Callable[[Array], Array]) -> Array:
    """Return ``mean(x)``, also where its sums would overflow.

    If the sums overflow, `mean` is taken of smaller numbers. A compiled program, which cannot look at the sums first,
    computes both, in one pass over x.

    Args:
        mean: a function of x that computes means, so that ``mean(a x)`` is ``a mean(x)``

    Shapes: x (...), no half type, whose sums are to be taken in float32 -> what `mean` returns
    """

    def take_both() -> Array:
        xp, found = namespace(x), mean(x)
        return xp.where(xp.isfinite(stop_gradient(found)), found, take_smaller(x, mean))

    return prefer_finite(x, lambda: mean(x), take_both)


def take_smaller(x: Array, mean: Callable[[Array], Array]) -> Array:
    """Return ``mean(x)``, computed from smaller numbers, whose sums do not overflow."""
    return mean(x * _SMALLER) * (1.0 / _SMALLER)


def take_mean(xp: Any, x: Array, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Array:
    """Return the mean along axes as the namespace's ``mean`` does, also where the sum would overflow."""
    return average(x, mean=lambda x: xp.mean(x, axis=axis, keepdims=keepdims))
