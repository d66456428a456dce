"""Reductions, and products of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport.ops.shapes import broadcast_sizes
from luxport_onnx.graph import Array, record
from luxport_onnx.xp._creation import zeros_like
from luxport_onnx.xp._elementwise import divide, greater, multiply, square, subtract
from luxport_onnx.xp._folding import astype, fold_constants, make_scalar, make_vector, promote_arrays
from luxport_onnx.xp._indexing import getitem
from luxport_onnx.xp._manipulation import concat, expand_dims, permute_dims, read_sizes, reshape, squeeze
from luxport_onnx.xp._transcendental import sqrt

__all__ = [
    "all", "any", "argmax", "argmin", "cumulative_sum", "matmul", "max", "mean", "min", "outer", "prod", "std", "sum",
    "tensordot", "var", "vecdot",
]  # fmt: skip


def list_axes(x: Array, axis: Any) -> list[int]:
    """List axes counted from the front; None for all of them."""
    given = range(x.ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    for a in given:
        if not -x.ndim <= a < x.ndim:
            raise ValueError(f"an axis in [{-x.ndim}, {x.ndim}) expected, got {a}")
    return sorted([a % x.ndim for a in given])


def _record_reduction(operator: str, x: Array, axis: Any, keepdims: bool) -> Array:
    """Record an operator that reduces axes."""
    axes = list_axes(x, axis)
    if not axes:
        return x
    shapes = [tuple([1 if a in axes else n for a, n in enumerate(s) if keepdims or a not in axes]) for s in x.shapes]
    return record(operator, x, make_vector(axes), dtype=x.dtype, shapes=shapes, keepdims=int(keepdims))


def _widen_as_sums(x: Array, dtype: Any) -> Array:
    """Convert to the dtype of sums and products: small integers become int64 or uint64."""
    if dtype is not None:
        return astype(x, dtype)
    if x.dtype.kind == "b" or (x.dtype.kind == "i" and x.dtype.itemsize < 8):
        return astype(x, np.int64)
    return astype(x, np.uint64) if x.dtype.kind == "u" else x


def _reduction(name: str, operator: str) -> Callable[..., Array]:
    """Return a function that records a reduction in the dtype of its array."""

    def function(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
        return _record_reduction(operator, x, axis, keepdims)

    return fold_constants(function, name)


def _wide_reduction(name: str, operator: str) -> Callable[..., Array]:
    """Return a function that records a reduction in the dtype of sums and products."""

    def function(x: Array, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
        return _record_reduction(operator, _widen_as_sums(x, dtype), axis, keepdims)

    return fold_constants(function, name)


sum = _wide_reduction("sum", "ReduceSum")
prod = _wide_reduction("prod", "ReduceProd")
mean = _reduction("mean", "ReduceMean")
max = _reduction("max", "ReduceMax")
min = _reduction("min", "ReduceMin")


@fold_constants
def any(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Tell whether any entry is true."""
    flags = astype(astype(x, np.bool_), np.int32)
    # The maximum of no entries is the least of all integers.
    return greater(_record_reduction("ReduceMax", flags, axis, keepdims), 0)


@fold_constants
def all(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Tell whether all entries are true."""
    flags = astype(astype(x, np.bool_), np.int32)
    return astype(_record_reduction("ReduceMin", flags, axis, keepdims), np.bool_)


@fold_constants
def var(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """Return variances."""
    centered = subtract(x, mean(x, axis=axis, keepdims=True))
    found = mean(square(centered), axis=axis, keepdims=keepdims)
    if not correction:
        return found
    count = 1
    for a in list_axes(x, axis):
        count = read_sizes(x)[a] * count
    if type(count) is Array:
        count = astype(count, x.dtype)
    return multiply(found, divide(count, count - correction))


@fold_constants
def std(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """Return standard deviations."""
    return sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def _find_place(operator: str, x: Array, axis: int | None, keepdims: bool) -> Array:
    rank = x.ndim
    if axis is None:
        found = _find_place(operator, reshape(x, (-1,)), 0, False)
        return reshape(found, (1,) * rank) if keepdims else found
    axis = axis % rank
    shapes = [tuple([1 if a == axis else n for a, n in enumerate(s) if keepdims or a != axis]) for s in x.shapes]
    return record(operator, x, dtype=np.int64, shapes=shapes, axis=axis, keepdims=int(keepdims))


@fold_constants
def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return the index of the largest entry, the first of equal ones."""
    return _find_place("ArgMax", x, axis, keepdims)


@fold_constants
def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return the index of the smallest entry, the first of equal ones."""
    return _find_place("ArgMin", x, axis, keepdims)


@fold_constants
def cumulative_sum(x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """Return the running sum along an axis."""
    x = _widen_as_sums(x, dtype)
    axis = 0 if axis is None else axis % x.ndim
    y = record("CumSum", x, make_scalar(axis, np.int64), dtype=x.dtype, shapes=x.shapes)
    if not include_initial:
        return y
    first = getitem(y, (*[slice(None)] * axis, slice(0, 1)))
    return concat([zeros_like(first), y], axis=axis)


@fold_constants
def matmul(x1: Array, x2: Array, /) -> Array:
    """Multiply matrices; a vector becomes a matrix, as onnxruntime multiplies one by a transposed matrix wrongly."""
    if x1.ndim > 1 and x2.ndim == 1:
        return squeeze(matmul(x1, expand_dims(x2, axis=1)), -1)
    if x1.ndim == 1 and x2.ndim > 1:
        return squeeze(matmul(expand_dims(x1, axis=0), x2), -2)
    x1, x2 = promote_arrays(x1, x2)
    shapes = []
    for a, b in zip(x1.shapes, x2.shapes, strict=True):
        if not a or not b or a[-1] != b[-2 if len(b) > 1 else -1]:
            raise ValueError(f"matmul expects (..., k) and (..., k, n), got {x1.shape} and {x2.shape}")
        batch = broadcast_sizes(a[:-2], b[:-2])
        shapes.append((*batch, *a[-2:-1], *(b[-1:] if len(b) > 1 else ())))
    return record("MatMul", x1, x2, dtype=x1.dtype, shapes=shapes)


@fold_constants
def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    """Sum products over axes of two arrays."""
    if isinstance(axes, int):
        axes = (range(x1.ndim - axes, x1.ndim), range(axes))
    over1, over2 = ([a % x.ndim for a in part] for part, x in zip(axes, (x1, x2), strict=True))
    kept1 = [a for a in range(x1.ndim) if a not in over1]
    kept2 = [a for a in range(x2.ndim) if a not in over2]
    sizes1, sizes2 = read_sizes(x1), read_sizes(x2)
    terms = _multiply([sizes1[a] for a in over1])
    left = reshape(permute_dims(x1, [*kept1, *over1]), (_multiply([sizes1[a] for a in kept1]), terms))
    right = reshape(permute_dims(x2, [*over2, *kept2]), (terms, _multiply([sizes2[a] for a in kept2])))
    return reshape(matmul(left, right), (*[sizes1[a] for a in kept1], *[sizes2[a] for a in kept2]))


def _multiply(sizes: list[Any]) -> Any:
    total: Any = 1
    for size in sizes:
        total = size * total
    return total


@fold_constants
def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """Sum products along an axis."""
    return sum(multiply(x1, x2), axis=axis, dtype=x1.dtype)


def outer(x1: Array, x2: Array, /) -> Array:
    """Return the products of each entry of one vector with each of the other."""
    return multiply(expand_dims(x1, axis=1), expand_dims(x2, axis=0))
