"""Choosing and searching."""

from __future__ import annotations

import tensorflow as tf

from ._arrays import SCALARS, Array, ArrayOrScalar, R, flatten, make_tensor, promote, rank, read_sizes, reshape_to
from ._conversion import asarray, astype
from ._dtypes import INDEX, is_complex
from ._indexing import take
from ._sorting import make_sort_keys

__all__ = ["nonzero", "searchsorted", "where"]


def _find_kind(value):
    return (bool, int, float, complex).index(type(value))


def where(condition: Array, x1: ArrayOrScalar, x2: ArrayOrScalar, /) -> tf.Tensor:
    """Return ``x1`` where ``condition`` is true, else ``x2``."""
    condition = make_tensor(condition)
    if condition.dtype is not tf.bool:
        raise TypeError(f"where wants a condition of bool, got {condition.dtype.name}")
    if isinstance(x1, SCALARS) and isinstance(x2, SCALARS):
        if _find_kind(x1) >= _find_kind(x2):
            x1 = asarray(x1)
        else:
            x2 = asarray(x2)
    x, y, _ = promote(x1, x2)
    return R.SelectV2(condition=condition, t=x, e=y)


def nonzero(x: Array, /) -> tuple[tf.Tensor, ...]:
    """Return the indices of the elements that are not zero: a vector for each axis. XLA cannot compile it."""
    x = make_tensor(x)
    if rank(x) == 0:
        raise ValueError("nonzero wants an array of at least one axis")
    return tuple(R.Unpack(value=R.Where(condition=astype(x, tf.bool)), num=rank(x), axis=1))


def searchsorted(x1: Array, x2: ArrayOrScalar, /, *, side: str = "left", sorter: Array | None = None) -> tf.Tensor:
    """Return where to insert the elements of ``x2`` into the ascending vector ``x1`` to keep it in order."""
    if side not in ("left", "right"):
        raise ValueError(f"side must be 'left' or 'right', got {side!r}")
    x1 = make_tensor(x1)
    if rank(x1) != 1:
        raise ValueError(f"searchsorted wants a vector to search, got {rank(x1)} axes")
    if sorter is not None:
        x1 = take(x1, sorter, axis=0)
    x1, x2, dtype = promote(x1, x2)
    if is_complex(dtype):
        raise TypeError(f"{dtype.name} has no order")
    bound = R.LowerBound if side == "left" else R.UpperBound
    values = R.ExpandDims(input=flatten(make_sort_keys(x2)), axis=0)
    places = bound(sorted_inputs=R.ExpandDims(input=make_sort_keys(x1), axis=0), values=values, out_type=INDEX)
    return reshape_to(places, read_sizes(x2))
