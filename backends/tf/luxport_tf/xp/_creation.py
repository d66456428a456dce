"""Creation functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from luxport_tf.xp._conversion import asarray, astype, convert_from_numpy

from ._arrays import (
    Array,
    ArrayOrScalar,
    R,
    Shape,
    Tensor,
    cast,
    check_optional_dtype,
    make_constant,
    make_shape_tensor,
    make_tensor,
    place_on,
    rank,
    read_shape,
    read_sizes,
)  # fmt: skip
from ._dtypes import (
    DEFAULT_COMPLEX,
    DEFAULT_FLOAT,
    DEFAULT_INT,
    find_dtype,
    is_floating,
    is_integer,
)  # fmt: skip

__all__ = [
    "arange", "empty", "empty_like", "eye", "full", "full_like", "linspace", "meshgrid", "ones", "ones_like", "tril",
    "triu", "zeros", "zeros_like",
]  # fmt: skip


def full(
    shape: Shape, fill_value: ArrayOrScalar, *, dtype: tf.DType | None = None, device: str | None = None
) -> tf.Tensor:
    """Return a tensor of ``fill_value`` everywhere."""
    if isinstance(fill_value, Tensor):
        value = fill_value if dtype is None else astype(fill_value, dtype)
    else:
        value = asarray(fill_value, dtype=dtype)
    with place_on(device):
        return R.Fill(dims=make_shape_tensor(read_shape(shape)), value=value)


def zeros(shape: Shape, *, dtype: tf.DType | None = None, device: str | None = None) -> tf.Tensor:
    """Return a tensor of zeros, float32 unless ``dtype`` says otherwise."""
    with place_on(device):
        return full(shape, make_constant(0, check_optional_dtype(dtype, DEFAULT_FLOAT)))


def ones(shape: Shape, *, dtype: tf.DType | None = None, device: str | None = None) -> tf.Tensor:
    """Return a tensor of ones, float32 unless ``dtype`` says otherwise."""
    with place_on(device):
        return full(shape, make_constant(1, check_optional_dtype(dtype, DEFAULT_FLOAT)))


def empty(shape: Shape, *, dtype: tf.DType | None = None, device: str | None = None) -> tf.Tensor:
    """Return a tensor of any values: zeros."""
    return zeros(shape, dtype=dtype, device=device)


def zeros_like(x: Array, /, *, dtype: tf.DType | None = None, device: str | None = None) -> tf.Tensor:
    """Return zeros in the shape of ``x``, and in its type unless ``dtype`` says otherwise."""
    return full_like(x, 0, dtype=dtype, device=device)


def ones_like(x: Array, /, *, dtype: tf.DType | None = None, device: str | None = None) -> tf.Tensor:
    """Return ones in the shape of ``x``, and in its type unless ``dtype`` says otherwise."""
    return full_like(x, 1, dtype=dtype, device=device)


def empty_like(x: Array, /, *, dtype: tf.DType | None = None, device: str | None = None) -> tf.Tensor:
    """Return any values (zeros) in the shape of ``x``."""
    return zeros_like(x, dtype=dtype, device=device)


def full_like(
    x: Array, /, fill_value: ArrayOrScalar, *, dtype: tf.DType | None = None, device: str | None = None
) -> tf.Tensor:
    """Return ``fill_value`` in the shape of ``x``, and in its type unless ``dtype`` says otherwise."""
    x = make_tensor(x)
    dtype = check_optional_dtype(dtype, x.dtype)
    if isinstance(fill_value, Tensor):
        value = astype(fill_value, dtype)
    else:
        value = asarray(fill_value, dtype=dtype)
    with place_on(device):
        known = x.shape.is_fully_defined()
        return R.Fill(dims=make_shape_tensor(x.shape) if known else R.Shape(input=x), value=value)


def arange(
    start: Any,
    /,
    stop: Any = None,
    step: Any = 1,
    *,
    dtype: tf.DType | None = None,
    device: str | None = None,
) -> tf.Tensor:
    """Return ``start, start + step, …`` up to ``stop``, which is left out; int64 if all are ints, else float32."""
    if stop is None:
        start, stop = 0, start
    dynamic = any(isinstance(v, Tensor) for v in (start, stop, step))
    if dtype is None:
        exact = all(is_integer(v.dtype) if isinstance(v, Tensor) else isinstance(v, int) for v in (start, stop, step))
        dtype = DEFAULT_INT if exact else DEFAULT_FLOAT
    dtype = find_dtype(dtype)
    with place_on(device):
        if dynamic:
            work = tf.float64 if is_floating(dtype) else tf.int64
            return cast(tf.range(*(cast(tf.convert_to_tensor(v), work) for v in (start, stop, step))), dtype)
        if step == 0:
            raise ValueError("arange needs a step other than 0")
        if all(isinstance(v, int) for v in (start, stop, step)):
            count = max(0, -((start - stop) // step))
        else:
            count = max(0, math.ceil((stop - start) / step))
        if is_integer(dtype) and all(isinstance(v, int) for v in (start, stop, step)):
            ends = [tf.constant(v, tf.int64) for v in (start, start + count * step, step)]
            if all(-(2**62) < v < 2**62 for v in (start, start + count * step)):
                return cast(R.Range(start=ends[0], limit=ends[1], delta=ends[2]), dtype)
        if not is_floating(dtype):
            return convert_from_numpy(np.arange(start, stop, step), dtype)
        steps = R.Range(start=tf.constant(0), limit=tf.constant(count), delta=tf.constant(1))
        work = tf.float64 if dtype is not tf.complex128 else dtype
        return cast(cast(steps, work) * tf.constant(step, work) + tf.constant(start, work), dtype)


def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: tf.DType | None = None,
    device: str | None = None,
    endpoint: bool = True,
) -> tf.Tensor:
    """Return ``num`` evenly spaced values from ``start`` to ``stop``, which is left out if not ``endpoint``."""
    if dtype is None:
        dtype = DEFAULT_COMPLEX if isinstance(start, complex) or isinstance(stop, complex) else DEFAULT_FLOAT
    dtype = find_dtype(dtype)
    with place_on(device):
        if isinstance(start, Tensor) or isinstance(stop, Tensor):
            weights = cast(tf.constant(np.linspace(0.0, 1.0, num, endpoint=endpoint)), dtype)
            start, stop = (cast(v, dtype) if isinstance(v, Tensor) else make_constant(v, dtype) for v in (start, stop))
            return start * (1 - weights) + stop * weights
        return tf.constant(np.linspace(start, stop, num, endpoint=endpoint).astype(dtype.as_numpy_dtype))


def eye(
    n_rows: int | Array,
    n_cols: int | Array | None = None,
    /,
    *,
    k: int = 0,
    dtype: tf.DType | None = None,
    device: str | None = None,
) -> tf.Tensor:
    """Return a matrix of ones on diagonal ``k`` and zeros elsewhere."""
    dtype = check_optional_dtype(dtype, DEFAULT_FLOAT)
    with place_on(device):
        rows = arange(n_rows)[:, None]
        columns = arange(n_rows if n_cols is None else n_cols)[None, :]
        return R.Cast(x=R.Equal(x=columns - rows, y=tf.constant(k, DEFAULT_INT)), DstT=dtype)


def meshgrid(*arrays: Array, indexing: str = "xy") -> tuple[tf.Tensor, ...]:
    """Return the coordinates of all points of a grid, one array for each coordinate vector."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing must be 'xy' or 'ij', got {indexing!r}")
    arrays = tuple(make_tensor(x) for x in arrays)
    if len({x.dtype for x in arrays}) > 1:
        raise ValueError("meshgrid wants arrays of one dtype")
    return tuple(tf.meshgrid(*arrays, indexing=indexing)) if arrays else ()


def _make_band(x: tf.Tensor, k: int, lower: bool) -> tf.Tensor:
    x = make_tensor(x)
    if rank(x) < 2:
        raise ValueError(f"tril and triu want at least two axes, got {rank(x)}")
    height, width = read_sizes(x)[-2:]
    offset = arange(width)[None, :] - arange(height)[:, None]
    keep = (R.LessEqual if lower else R.GreaterEqual)(x=offset, y=tf.constant(k, DEFAULT_INT))
    return R.SelectV2(condition=keep, t=x, e=make_constant(0, x.dtype))


def tril(x: Array, /, *, k: int = 0) -> tf.Tensor:
    """Return the lower triangles of matrices: zero above diagonal ``k``."""
    return _make_band(x, k, lower=True)


def triu(x: Array, /, *, k: int = 0) -> tf.Tensor:
    """Return the upper triangles of matrices: zero below diagonal ``k``."""
    return _make_band(x, k, lower=False)
