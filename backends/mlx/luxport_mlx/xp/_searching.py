"""Functions that look for elements, and put them in order. Places are int32."""

from __future__ import annotations

import builtins
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

__all__ = [
    "argmax", "argmin", "argsort", "nonzero", "searchsorted", "sort", "unique_all", "unique_counts", "unique_inverse",
    "unique_values",
]  # fmt: skip


def argmax(x: mx.array, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> mx.array:
    """The place of the largest element."""
    return mx.argmax(x, axis, keepdims).astype(mx.int32)


def argmin(x: mx.array, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> mx.array:
    """The place of the smallest element."""
    return mx.argmin(x, axis, keepdims).astype(mx.int32)


def argsort(x: mx.array, /, *, axis: int = -1, descending: builtins.bool = False, stable: bool = True) -> mx.array:
    """The places of the elements in their order; of equal ones the first comes first."""
    if not descending:
        return mx.argsort(x, axis).astype(mx.int32)
    # The last of those that are equal in the mirrored array is the first here.
    mirrored = mx.argsort(mx.flip(x, axis), axis).astype(mx.int32)
    return mx.flip(x.shape[axis] - 1 - mirrored, axis)


def sort(x: mx.array, /, *, axis: int = -1, descending: builtins.bool = False, stable: bool = True) -> mx.array:
    """The elements in their order."""
    y = mx.sort(x, axis)
    return mx.flip(y, axis) if descending else y


def searchsorted(x1: mx.array, x2: mx.array, /, *, side: str = "left", sorter: mx.array | None = None) -> mx.array:
    """The places where elements would have to be put in."""
    return mx.searchsorted(x1 if sorter is None else mx.take(x1, sorter), x2, side).astype(mx.int32)


def nonzero(x: mx.array, /) -> tuple[mx.array, ...]:
    """The places of the elements that are not zero: their number is a matter of values, which are looked at."""
    return tuple([mx.array(place.astype(np.int32)) for place in np.nonzero(np.array(x != 0))])


class UniqueAll(NamedTuple):
    """What `unique_all` finds."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What `unique_counts` finds."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What `unique_inverse` finds."""

    values: Any
    inverse_indices: Any


def unique_all(x: mx.array, /) -> UniqueAll:
    """The values that differ, where each is first, where all are among them, and how often they are."""
    values, first, inverse, counts = np.unique(
        np.array(x), return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    places = [mx.array(np.asarray(one, np.int32)) for one in (first, inverse.reshape(x.shape), counts)]
    return UniqueAll(mx.array(values), *places)


def unique_counts(x: mx.array, /) -> UniqueCounts:
    """The values that differ, and how often they are."""
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: mx.array, /) -> UniqueInverse:
    """The values that differ, and where all elements are among them."""
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: mx.array, /) -> mx.array:
    """The values that differ."""
    return unique_all(x).values
