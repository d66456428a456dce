"""New arrays. An array belongs to no device: memory is shared, and `mx.set_default_device` says where functions run."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Sequence
from typing import Any

import mlx.core as mx

__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "meshgrid",
    "ones", "ones_like", "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip

Shape = int | Sequence[int]

from_dlpack = mx.from_dlpack


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: builtins.bool | None = None) -> mx.array:
    """Return an array, a number or a nested sequence of these as an array."""
    if isinstance(obj, mx.array):
        return obj if dtype is None or dtype == obj.dtype else obj.astype(dtype)
    return mx.array(obj, dtype)


def arange(
    start: float, /, stop: float | None = None, step: float = 1, *, dtype: Any = None, device: Any = None
) -> mx.array:
    """Return the numbers from `start` up to `stop`, which is left out."""
    return mx.arange(0 if stop is None else start, start if stop is None else stop, step, dtype=dtype)


def empty(shape: Shape, *, dtype: Any = None, device: Any = None) -> mx.array:
    """Return zeros: MLX has no arrays without values."""
    return mx.zeros(_read_shape(shape), mx.float32 if dtype is None else dtype)


def empty_like(x: mx.array, /, *, dtype: Any = None, device: Any = None) -> mx.array:
    """Return zeros, in the shape of another array."""
    return zeros_like(x, dtype=dtype)


def eye(n: int, m: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> mx.array:
    """Return a matrix of ones on a diagonal and zeros elsewhere."""
    return mx.eye(n, n if m is None else m, k, mx.float32 if dtype is None else dtype)


def full(shape: Shape, fill_value: Any, *, dtype: Any = None, device: Any = None) -> mx.array:
    """Return an array of one number."""
    return mx.full(_read_shape(shape), fill_value, dtype)


def full_like(x: mx.array, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> mx.array:
    """Return an array of one number, in the shape of another array."""
    return mx.full(x.shape, fill_value, x.dtype if dtype is None else dtype)


def linspace(
    start: float, stop: float, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: builtins.bool = True
) -> mx.array:
    """Return `num` numbers at equal distances."""
    return mx.linspace(start, stop, num, endpoint, mx.float32 if dtype is None else dtype)


def meshgrid(*arrays: mx.array, indexing: str = "xy") -> list[mx.array]:
    """Return the coordinates of all points of a grid, one array for each axis."""
    return list(mx.meshgrid(*arrays, indexing=indexing))


def ones(shape: Shape, *, dtype: Any = None, device: Any = None) -> mx.array:
    """Return ones."""
    return mx.ones(_read_shape(shape), mx.float32 if dtype is None else dtype)


def ones_like(x: mx.array, /, *, dtype: Any = None, device: Any = None) -> mx.array:
    """Return ones, in the shape of another array."""
    return mx.ones_like(x) if dtype is None else mx.ones(x.shape, dtype)


def tril(x: mx.array, /, *, k: int = 0) -> mx.array:
    """Return matrices with zeros above a diagonal."""
    return mx.tril(x, k)


def triu(x: mx.array, /, *, k: int = 0) -> mx.array:
    """Return matrices with zeros below a diagonal."""
    return mx.triu(x, k)


def zeros(shape: Shape, *, dtype: Any = None, device: Any = None) -> mx.array:
    """Return zeros."""
    return mx.zeros(_read_shape(shape), mx.float32 if dtype is None else dtype)


def zeros_like(x: mx.array, /, *, dtype: Any = None, device: Any = None) -> mx.array:
    """Return zeros, in the shape of another array."""
    return mx.zeros_like(x) if dtype is None else mx.zeros(x.shape, dtype)


def _read_shape(shape: Shape) -> Any:
    return shape if isinstance(shape, (tuple, list)) else operator.index(shape)  # type: ignore[arg-type]
