"""Reductions, and sums and products up to each element."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import mlx.core as mx

from ._dtypes import astype

__all__ = [
    "all", "any", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min", "prod", "std",
    "sum", "var",
]  # fmt: skip

Axis = int | tuple[int, ...] | None

all, any, max, mean, min = mx.all, mx.any, mx.max, mx.mean, mx.min


def sum(x: mx.array, /, *, axis: Axis = None, dtype: Any = None, keepdims: builtins.bool = False) -> mx.array:
    """Sum along axes, in the given dtype."""
    return _reduce(mx.sum, x, axis, dtype, keepdims)


def prod(x: mx.array, /, *, axis: Axis = None, dtype: Any = None, keepdims: builtins.bool = False) -> mx.array:
    """Multiply along axes, in the given dtype."""
    return _reduce(mx.prod, x, axis, dtype, keepdims)


def _reduce(reduce: Callable[..., mx.array], x: mx.array, axis: Axis, dtype: Any, keepdims: builtins.bool) -> mx.array:
    if dtype is None:
        return reduce(x, axis, keepdims)
    return astype(reduce(astype(x, dtype), axis, keepdims), dtype)


def std(x: mx.array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: builtins.bool = False) -> mx.array:
    """Return the standard deviation."""
    return mx.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def var(x: mx.array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: builtins.bool = False) -> mx.array:
    """Return the variance; its correction may be any number."""
    variance = mx.mean(mx.square(x - mx.mean(x, axis, True)), axis, keepdims)
    if correction == 0:
        return variance
    count = x.size if axis is None else _count(x, axis)
    return variance * (count / (count - correction) if count > correction else mx.nan)


def count_nonzero(x: mx.array, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> mx.array:
    """Count the elements that are not zero."""
    return mx.sum((x != 0).astype(mx.int32), axis, keepdims)


def cumulative_sum(
    x: mx.array, /, *, axis: int | None = None, dtype: Any = None, include_initial: builtins.bool = False
) -> mx.array:
    """Return the running sum along an axis."""
    return _accumulate(mx.cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: mx.array, /, *, axis: int | None = None, dtype: Any = None, include_initial: builtins.bool = False
) -> mx.array:
    """Return the running product along an axis."""
    return _accumulate(mx.cumprod, 1, x, axis, dtype, include_initial)


def _accumulate(
    accumulate: Callable[..., mx.array], initial: int, x: mx.array, axis: int | None, dtype: Any, include: builtins.bool
) -> mx.array:
    axis = 0 if axis is None else axis
    y = accumulate(x if dtype is None else x.astype(dtype), axis)
    if not include:
        return y
    shape = list(y.shape)
    shape[axis] = 1
    return mx.concatenate([mx.full(shape, initial, y.dtype), y], axis)


def diff(
    x: mx.array, /, *, axis: int = -1, n: int = 1, prepend: mx.array | None = None, append: mx.array | None = None
) -> mx.array:
    """Return the differences of neighbors, n times over."""
    parts = [part for part in (prepend, x, append) if part is not None]
    return mx.diff(mx.concatenate(parts, axis) if len(parts) > 1 else x, n, axis)


def _count(x: mx.array, axis: Any) -> int:
    size = 1
    for one in (axis,) if isinstance(axis, int) else axis:
        size *= x.shape[one]
    return size
