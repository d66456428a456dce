"""Functions that rearrange elements, and products of matrices."""

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
    """Broadcast arrays to their common shape."""
    return list(mx.broadcast_arrays(*arrays))


def broadcast_to(x: mx.array, /, shape: Sequence[int]) -> mx.array:
    """Broadcast to a larger shape."""
    return mx.broadcast_to(x, shape)


def concat(arrays: Sequence[mx.array], /, *, axis: int | None = 0) -> mx.array:
    """Join arrays along an axis."""
    return mx.concatenate(list(arrays), axis)


def stack(arrays: Sequence[mx.array], /, *, axis: int = 0) -> mx.array:
    """Join arrays along a new axis."""
    return mx.stack(list(arrays), axis)


def moveaxis(x: mx.array, source: Any, destination: Any, /) -> mx.array:
    """Move axes to other positions."""
    if isinstance(source, int):
        return mx.moveaxis(x, source, destination)
    source, destination = [axis % x.ndim for axis in source], [axis % x.ndim for axis in destination]
    order = [axis for axis in range(x.ndim) if axis not in source]
    for place, axis in sorted(zip(destination, source, strict=True)):
        order.insert(place, axis)
    return mx.permute_dims(x, order)


def repeat(x: mx.array, repeats: Any, /, *, axis: int | None = None) -> mx.array:
    """Repeat each slice along an axis: by one number, or by an array of numbers, whose values are read."""
    if isinstance(repeats, int):
        return mx.repeat(x, repeats, axis)
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    counts: Any = repeats.tolist()
    counts = [counts] * x.shape[axis] if isinstance(counts, int) else counts
    return mx.take(x, mx.array([i for i, n in enumerate(counts) for _ in range(n)], mx.int32), axis)


def reshape(x: mx.array, /, shape: Sequence[int], *, copy: builtins.bool | None = None) -> mx.array:
    """Return the elements in another shape."""
    return mx.reshape(x, shape)


def matmul(x1: mx.array, x2: mx.array, /) -> mx.array:
    """Multiply matrices, of integers too."""
    if mx.issubdtype(mx.result_type(x1, x2), mx.inexact):
        return mx.matmul(x1, x2)
    a, b = (x1[None] if x1.ndim == 1 else x1), (x2[:, None] if x2.ndim == 1 else x2)
    dtype = mx.result_type(x1, x2)
    y = mx.sum(a[..., :, :, None] * b[..., None, :, :], -2).astype(dtype)
    y = y.squeeze(-1) if x2.ndim == 1 else y
    return y if x1.ndim > 1 else y.squeeze(-1 if x2.ndim == 1 else -2)


def take(x: mx.array, indices: mx.array, /, *, axis: int | None = None) -> mx.array:
    """Return the slices at indices along an axis; MLX must be told that indices have no gradient."""
    return mx.take(x, mx.stop_gradient(indices), axis)


def take_along_axis(x: mx.array, indices: mx.array, /, *, axis: int = -1) -> mx.array:
    """Return, for each vector along an axis, its elements at that vector of indices."""
    return mx.take_along_axis(x, mx.stop_gradient(indices), axis)


def tensordot(x1: mx.array, x2: mx.array, /, *, axes: Any = 2) -> mx.array:
    """Sum products over axes of two arrays."""
    return mx.tensordot(x1, x2, axes if isinstance(axes, int) else [list(axes[0]), list(axes[1])])


def vecdot(x1: mx.array, x2: mx.array, /, *, axis: int = -1) -> mx.array:
    """Sum products along an axis."""
    return mx.sum((mx.conj(x1) if x1.dtype == mx.complex64 else x1) * x2, axis)
