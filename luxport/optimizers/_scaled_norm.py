"""A norm times a power of 2, which is 1 unless the norm, or its inverse, might be too large or too small to be held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from luxport.backend import Array, namespace
from luxport.backend.dtypes import find_widest_dtype, is_double, widen_halves
from luxport.optimizers._root import take_root
from luxport.optimizers._rule_arithmetic import is_number

__all__ = ["LARGE", "ScaledNorm", "compute_euclidean", "compute_norm_of_all", "scale_by"]

LARGE = 2.0**62
"""Norms that are larger are multiplied by the inverse of this."""


class ScaledNorm(NamedTuple):
    """`size` is the norm times `unit`, a power of 2."""

    size: Array
    unit: Array

    def factor(self, omega: Any) -> Array:
        """Return what to multiply by, after the unit, so that the norm becomes omega; 1 where it is not larger."""
        xp = namespace(self.size)
        within = self.is_within(omega)
        omega = omega if is_number(omega) else xp.astype(omega, self.size.dtype)
        # NaN is not within, and must not become 1.
        one = xp.ones_like(self.size)
        return xp.where(within, one, omega / xp.where(within, one, self.size))

    def is_within(self, omega: Any) -> Array:
        """Tell whether the norm is at most omega."""
        omega = omega if is_number(omega) else namespace(self.size).astype(omega, self.size.dtype)
        return omega * self.unit >= self.size


def compute_norm_of_all(arrays: Sequence[Array]) -> tuple[Array, ScaledNorm]:
    """Return the Euclidean norm of all numbers of some floating or complex arrays, and the same scaled."""
    xp = namespace(*arrays)
    wide = find_widest_dtype(xp) if any([is_double(x) for x in arrays]) else xp.float32
    sizes = [xp.astype(xp.abs(widen_halves(xp, x)), wide) for x in arrays if math.prod(x.shape)]
    if not sizes:
        nothing = xp.zeros((), dtype=wide)
        return nothing, ScaledNorm(nothing, xp.ones_like(nothing))
    root, unit = compute_euclidean(sizes)
    norm = root / unit
    least = xp.where(norm > LARGE, xp.ones_like(norm) / LARGE, xp.ones_like(norm))
    return norm, ScaledNorm(root * (least / unit), least)


def compute_euclidean(sizes: Sequence[Array]) -> tuple[Array, Array]:
    """Return the 2-norm of numbers of one dtype times a unit, and the unit.

    It is a power of 2, by which numbers are multiplied whose squares might overflow or vanish: that is exact, and
    unlike the largest of them it has an inverse.
    """
    xp = namespace(*sizes)
    largest = xp.max(xp.stack([xp.max(size) for size in sizes]))
    large, small = (1e150, 2.0**-600) if is_double(largest) else (1e15, 2.0**-100)
    one = xp.ones_like(largest)
    unit = xp.where(largest > large, one * small, xp.where(largest < 1.0 / large, one / small, one))
    return take_root(xp.sum(xp.stack([xp.sum((size * unit) ** 2) for size in sizes]))), unit


def scale_by(x: Array, is_large: Array, factor: Array) -> Array:
    """Return x times the inverse of `LARGE`, if its norm is that large, times a factor.

    They are two products with a choice between them: a compiler would make one factor of two, which may vanish.
    """
    xp = namespace(x)
    return xp.where(is_large, x * (1.0 / LARGE), x) * xp.astype(factor, x.dtype)
