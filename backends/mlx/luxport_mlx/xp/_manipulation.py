"""Functions that move elements about."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import mlx.core as mx

__all__ = [
    "broadcast_arrays", "broadcast_shapes", "broadcast_to", "concat", "expand_dims", "flip", "matmul",
    "matrix_transpose", "moveaxis", "permute_dims", "repeat", "reshape", "roll", "squeeze", "stack", "take",
    "take_along_axis", "tensordot", "tile", "unstack", "vecdot",
]  # fmt: skip

broadcast_shapes, matrix_transpose, roll, tile, unstack = (
    mx.broadcast_shapes, mx.matrix_transpose, mx.roll, mx.tile, mx.unstack,
)  # fmt: skip
expand_dims, flip, permute_dims, squeeze = mx.expand_dims, mx.flip, mx.permute_dims, mx.squeeze


def broadcast_arrays(*arrays: mx.array) -> list[mx.array]:
    """Arrays in one shape."""
    return list(mx.broadcast_arrays(*arrays))


def broadcast_to(x: mx.array, /, shape: Sequence[int]) -> mx.array:
    """An array in a larger shape."""
    return mx.broadcast_to(x, shape)


def concat(arrays: Sequence[mx.array], /, *, axis: int | None = 0) -> mx.array:
    """Arrays one after the other along an axis."""
    return mx.concatenate(list(arrays), axis)


def stack(arrays: Sequence[mx.array], /, *, axis: int = 0) -> mx.array:
    """Arrays one after the other along a new axis."""
    return mx.stack(list(arrays), axis)


def moveaxis(x: mx.array, source: Any, destination: Any, /) -> mx.array:
    """An array with axes at other places."""
    if isinstance(source, int):
        return mx.moveaxis(x, source, destination)
    source, destination = [axis % x.ndim for axis in source], [axis % x.ndim for axis in destination]
    order = [axis for axis in range(x.ndim) if axis not in source]
    for place, axis in sorted(zip(destination, source, strict=True)):
        order.insert(place, axis)
    return mx.permute_dims(x, order)


def repeat(x: mx.array, repeats: Any, /, *, axis: int | None = None) -> mx.array:
    """Each slice several times; an array of numbers is looked at."""
    if isinstance(repeats, int):
        return mx.repeat(x, repeats, axis)
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    counts: Any = repeats.tolist()
    counts = [counts] * x.shape[axis] if isinstance(counts, int) else counts
    return mx.take(x, mx.array([i for i, n in enumerate(counts) for _ in range(n)], mx.int32), axis)


def reshape(x: mx.array, /, shape: Sequence[int], *, copy: builtins.bool | None = None) -> mx.array:
    """The elements in another shape."""
    return mx.reshape(x, shape)


def matmul(x1: mx.array, x2: mx.array, /) -> mx.array:
    """The matrix product, of integers too."""
    if mx.issubdtype(mx.result_type(x1, x2), mx.inexact):
        return mx.matmul(x1, x2)
    a, b = (x1[None] if x1.ndim == 1 else x1), (x2[:, None] if x2.ndim == 1 else x2)
    dtype = mx.result_type(x1, x2)
    y = mx.sum(a[..., :, :, None] * b[..., None, :, :], -2).astype(dtype)
    y = y.squeeze(-1) if x2.ndim == 1 else y
    return y if x1.ndim > 1 else y.squeeze(-1 if x2.ndim == 1 else -2)


def take(x: mx.array, indices: mx.array, /, *, axis: int | None = None) -> mx.array:
    """The slices at places along an axis; MLX wants it said that places have no gradient."""
    return mx.take(x, mx.stop_gradient(indices), axis)


def take_along_axis(x: mx.array, indices: mx.array, /, *, axis: int = -1) -> mx.array:
    """The elements at places along an axis, each with its own."""
    return mx.take_along_axis(x, mx.stop_gradient(indices), axis)


def tensordot(x1: mx.array, x2: mx.array, /, *, axes: Any = 2) -> mx.array:
    """Sums of products over some axes of both."""
    return mx.tensordot(x1, x2, axes if isinstance(axes, int) else [list(axes[0]), list(axes[1])])


def vecdot(x1: mx.array, x2: mx.array, /, *, axis: int = -1) -> mx.array:
    """Sums of products along an axis."""
    return mx.sum((mx.conj(x1) if x1.dtype == mx.complex64 else x1) * x2, axis)
