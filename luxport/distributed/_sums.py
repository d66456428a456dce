"""Sums and weighted means over processes, in which half types are summed in float32 and rounded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from luxport.backend import Array, namespace
from luxport.backend.dtypes import widen_halves

__all__ = ["compute_weighted_means", "reduce_in_single"]


def reduce_in_single(reduce: Callable[[list[Array]], list[Array]], arrays: Sequence[Array]) -> list[Array]:
    """Reduce arrays by a function that gets half types as float32; results have the original dtypes."""
    wide = [widen_halves(namespace(array), array) for array in arrays]
    return [
        found if found.dtype == array.dtype else namespace(found).astype(found, array.dtype)
        for found, array in zip(reduce(wide), arrays, strict=True)
    ]


def compute_weighted_means(
    all_reduce: Callable[[Sequence[Array], str], list[Array]], arrays: Sequence[Array], size: int, weight: float = 1.0
) -> list[Array]:
    """Return the means of arrays over processes: arrays are divided before they are summed, as sums might overflow.

    Args:
        all_reduce: the engine's function
        arrays: the arrays of this process
        size: the number of processes
        weight: the weight of this process, relative to the average weight
    """
    return reduce_in_single(lambda wide: all_reduce([_weigh(array, size, weight) for array in wide], "sum"), arrays)


def _weigh(array: Array, size: int, weight: float) -> Array:
    if weight == 1:
        return array / size
    # A process without samples has the weight 0 and means of NaN.
    return array * (weight / size) if weight else namespace(array).zeros_like(array)
