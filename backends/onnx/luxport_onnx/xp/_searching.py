"""Searching and sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport_onnx.graph import Array, record, record_all
from luxport_onnx.xp._elementwise import greater, greater_equal
from luxport_onnx.xp._folding import astype, fold_constants, make_array, make_refusal
from luxport_onnx.xp._manipulation import broadcast_to, convert_indices, expand_dims, read_sizes, reshape
from luxport_onnx.xp._reductions import sum as add_up

__all__ = [
    "argsort", "count_nonzero", "nonzero", "searchsorted", "sort", "take_along_axis", "tril", "triu", "unique_values",
]  # fmt: skip


@fold_constants
def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """Return, for each vector along an axis, its entries at that vector of indices."""
    axis = axis % x.ndim
    indices = convert_indices(indices)
    shapes = [(*s[:axis], i[axis], *s[axis + 1 :]) for s, i in zip(x.shapes, indices.shapes, strict=True)]
    if tuple(shapes) != indices.shapes:
        sizes = [*read_sizes(x)]
        sizes[axis] = read_sizes(indices)[axis]
        indices = broadcast_to(indices, tuple(sizes))
    return record("GatherElements", x, indices, dtype=x.dtype, shapes=shapes, axis=axis)


@fold_constants
def searchsorted(x1: Array, x2: Array, /, *, side: str = "left", sorter: Any = None) -> Array:
    """Return where to insert the entries of x2 into the sorted x1, by counting the smaller ones."""
    below = (greater if side == "left" else greater_equal)(expand_dims(x2, axis=-1), x1)
    return add_up(below, axis=-1, dtype=np.int64)


@fold_constants
def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """Sort the entries along an axis."""
    return _find_top(x, axis, descending)[0]


@fold_constants
def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """Return the indices that sort the entries."""
    return _find_top(x, axis, descending)[1]


def _find_top(x: Array, axis: int, descending: bool) -> tuple[Array, ...]:
    axis = axis % x.ndim
    count = reshape(make_array(read_sizes(x)[axis], np.int64), (1,))
    outputs = [(x.dtype, x.shapes), (np.int64, x.shapes)]
    return record_all("TopK", [x, count], outputs, axis=axis, largest=int(descending), sorted=1)


@fold_constants
def count_nonzero(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Count the entries that are not 0."""
    return add_up(astype(x, np.bool_), axis=axis, keepdims=keepdims)


@fold_constants
def tril(x: Array, /, *, k: int = 0) -> Array:
    """Return matrices with zeros above a diagonal."""
    return record("Trilu", x, make_array(k, np.int64), dtype=x.dtype, shapes=x.shapes, upper=0)


@fold_constants
def triu(x: Array, /, *, k: int = 0) -> Array:
    """Return matrices with zeros below a diagonal."""
    return record("Trilu", x, make_array(k, np.int64), dtype=x.dtype, shapes=x.shapes, upper=1)


_LATE = "only the running graph would know how many there are"
nonzero = make_refusal("nonzero", _LATE)
unique_values = make_refusal("unique_values", _LATE)
