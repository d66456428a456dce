"""Sums and means over processes: half types are added up in float32, and rounded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from luxport.backend import Array, namespace
from luxport.backend.dtypes import widen_halves

__all__ = ["reduce_in_single", "mean_by"]


def reduce_in_single(reduce: Callable[[list[Array]], list[Array]], arrays: Sequence[Array]) -> list[Array]:
    """Reduce arrays, those of half types as float32."""
    wide = [widen_halves(namespace(array), array) for array in arrays]
    return [
        found if found.dtype == array.dtype else namespace(found).astype(found, array.dtype)
        for found, array in zip(reduce(wide), arrays, strict=True)
    ]


def mean_by(
    all_reduce: Callable[[Sequence[Array], str], list[Array]], arrays: Sequence[Array], size: int, weight: float = 1.0
) -> list[Array]:
    """Return the means of the arrays of some processes, by sums of their shares: sums alone might overflow.

    Args:
        all_reduce: what adds them up
        arrays: this process's
        size: how many processes there are
        weight: what this process's count for, by the average
    """
    return reduce_in_single(lambda wide: all_reduce([_share(array, size, weight) for array in wide], "sum"), arrays)


def _share(array: Array, size: int, weight: float) -> Array:
    if weight == 1:
        return array / size
    return array * (weight / size) if weight else namespace(array).zeros_like(array)  # means of nothing are NaN
