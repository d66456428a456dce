"""Searching, sorting and set functions. Indices are int32."""

from __future__ import annotations

import builtins

import mlx.core as mx
import numpy as np

from luxport.backend.set_results import UniqueAll, UniqueCounts, UniqueInverse

__all__ = [
    "argmax", "argmin", "argsort", "nonzero", "searchsorted", "sort", "unique_all", "unique_counts", "unique_inverse",
    "unique_values",
]  # fmt: skip


def argmax(x: mx.array, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> mx.array:
    """Return the index of the largest element."""
    return mx.argmax(x, axis, keepdims).astype(mx.int32)


def argmin(x: mx.array, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> mx.array:
    """Return the index of the smallest element."""
    return mx.argmin(x, axis, keepdims).astype(mx.int32)


def argsort(x: mx.array, /, *, axis: int = -1, descending: builtins.bool = False, stable: bool = True) -> mx.array:
    """Return the indices that sort the elements; equal elements keep their order."""
    if not descending:
        return mx.argsort(x, axis).astype(mx.int32)
    # Sorted in the mirrored array, equal elements keep their order when the result is mirrored back.
    mirrored = mx.argsort(mx.flip(x, axis), axis).astype(mx.int32)
    return mx.flip(x.shape[axis] - 1 - mirrored, axis)


def sort(x: mx.array, /, *, axis: int = -1, descending: builtins.bool = False, stable: bool = True) -> mx.array:
    """Sort the elements along an axis."""
    y = mx.sort(x, axis)
    return mx.flip(y, axis) if descending else y


def searchsorted(x1: mx.array, x2: mx.array, /, *, side: str = "left", sorter: mx.array | None = None) -> mx.array:
    """Return where to insert the elements of x2 into the sorted x1 to keep it sorted."""
    return mx.searchsorted(x1 if sorter is None else mx.take(x1, sorter), x2, side).astype(mx.int32)


def nonzero(x: mx.array, /) -> tuple[mx.array, ...]:
    """Return the indices of the elements that are not zero; reads the values."""
    return tuple([mx.array(place.astype(np.int32)) for place in np.nonzero(np.array(x != 0))])


def unique_all(x: mx.array, /) -> UniqueAll:
    """Return the distinct values, where each occurs first, which of them each element is, and how often each occurs."""
    values, first, inverse, counts = np.unique(
        np.array(x), return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    places = [mx.array(np.asarray(one, np.int32)) for one in (first, inverse.reshape(x.shape), counts)]
    return UniqueAll(mx.array(values), *places)


def unique_counts(x: mx.array, /) -> UniqueCounts:
    """Return the distinct values, and how often each occurs."""
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: mx.array, /) -> UniqueInverse:
    """Return the distinct values, and which of them each element is."""
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: mx.array, /) -> mx.array:
    """Return the distinct values."""
    return unique_all(x).values
