"""Euclidean norms that neither overflow nor vanish: where they might, numbers are multiplied by a power of 2 first."""

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
"""Norms above this are divided by it, so that their inverse does not vanish."""


class ScaledNorm(NamedTuple):
    """A norm as `size`, the norm times `unit`, a power of 2."""

    size: Array
    unit: Array

    def factor(self, omega: Any) -> Array:
        """Return the factor that brings `size` down to omega; 1 if the norm is at most omega."""
        xp = namespace(self.size)
        within = self.is_within(omega)
        omega = omega if is_number(omega) else xp.astype(omega, self.size.dtype)
        # A norm of NaN is not within the bound, so its factor is NaN and not 1.
        one = xp.ones_like(self.size)
        return xp.where(within, one, omega / xp.where(within, one, self.size))

    def is_within(self, omega: Any) -> Array:
        """Tell whether the norm is at most omega."""
        omega = omega if is_number(omega) else namespace(self.size).astype(omega, self.size.dtype)
        return omega * self.unit >= self.size


def compute_norm_of_all(arrays: Sequence[Array]) -> tuple[Array, ScaledNorm]:
    """Return the Euclidean norm of all numbers in floating or complex arrays, plain and scaled."""
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

    The unit is 1, or another power of 2 if squares might overflow or vanish: multiplying by it is exact, and its
    inverse does not overflow, as that of the largest number may.
    """
    xp = namespace(*sizes)
    largest = xp.max(xp.stack([xp.max(size) for size in sizes]))
    large, small = (1e150, 2.0**-600) if is_double(largest) else (1e15, 2.0**-100)
    one = xp.ones_like(largest)
    unit = xp.where(largest > large, one * small, xp.where(largest < 1.0 / large, one / small, one))
    return take_root(xp.sum(xp.stack([xp.sum((size * unit) ** 2) for size in sizes]))), unit


def scale_by(x: Array, is_large: Array, factor: Array) -> Array:
    """Return ``x * factor``, or ``x / LARGE * factor`` if the norm is large.

    A compiler would combine ``factor / LARGE`` into one number, which may vanish; the `where` in between prevents it.
    """
    xp = namespace(x)
    return xp.where(is_large, x * (1.0 / LARGE), x) * xp.astype(factor, x.dtype)
