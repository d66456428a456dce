"""Reductions and cumulative functions."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

import tensorflow as tf

from ._arrays import (
    Array,
    R,
    cast,
    flatten,
    make_ints,
    make_tensor,
    multiply_sizes,
    normalize_axes,
    normalize_axis,
    rank,
    read_sizes,
    widen_halves,
)
from ._conversion import astype
from ._dtypes import (
    DEFAULT_INT,
    FLOATING,
    HALF,
    INDEX,
    NUMERIC,
    REAL,
    REAL_FLOATING,
    find_dtype,
    is_complex,
    is_integer,
    is_signed,
    is_unsigned,
)  # fmt: skip

__all__ = [
    "all", "any", "argmax", "argmin", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff", "max", "mean",
    "min", "prod", "std", "sum", "var",
]  # fmt: skip

_NUMERIC, _REAL, _FLOATING, _HALF = map(frozenset, (NUMERIC, REAL, FLOATING, HALF))
_REAL_FLOATING = frozenset(REAL_FLOATING)


def _check(name, x, allowed):
    x = make_tensor(x)
    if x.dtype not in allowed:
        raise TypeError(f"{name} does not take arrays of {x.dtype.name}; convert with astype")
    return x


def _find_accumulator(dtype, x):
    """Return the type of sums and products: that of integers is at least as wide as the default."""
    if dtype is not None:
        return find_dtype(dtype)
    if is_signed(x.dtype):
        return DEFAULT_INT
    return tf.uint64 if is_unsigned(x.dtype) else x.dtype


def _list_axes(axis, x):
    return make_ints(normalize_axes(axis, rank(x)))


def sum(
    x: Array, /, *, axis: int | Sequence[int] | None = None, dtype: tf.DType | None = None, keepdims: bool = False
) -> tf.Tensor:
    """Return the sum over ``axis`` (an int, a tuple or None for all); small integers are summed as 64-bit ones."""
    return _reduce("sum", R.Sum, x, axis, dtype, keepdims)


def prod(
    x: Array, /, *, axis: int | Sequence[int] | None = None, dtype: tf.DType | None = None, keepdims: bool = False
) -> tf.Tensor:
    """Return the product over ``axis`` (an int, a tuple or None for all); small integers are taken as 64-bit ones."""
    return _reduce("prod", R.Prod, x, axis, dtype, keepdims)


def _reduce(name, kernel, x, axis, dtype, keepdims):
    x = _check(name, x, _NUMERIC)
    dtype = _find_accumulator(dtype, x)
    wide = tf.float32 if dtype in _HALF else dtype  # in which small numbers are not lost beside a large sum
    return cast(kernel(input=cast(x, wide), axis=_list_axes(axis, x), keep_dims=keepdims), dtype)


def mean(x: Array, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> tf.Tensor:
    """Return the mean over ``axis``; half-precision types are averaged in float32."""
    x = _check("mean", x, _FLOATING)
    return cast(R.Mean(input=widen_halves(x), axis=_list_axes(axis, x), keep_dims=keepdims), x.dtype)


def _compute_var(x, axis, correction, keepdims):
    axes = normalize_axes(axis, rank(x))
    centered = R.Sub(x=x, y=R.Mean(input=x, axis=make_ints(axes), keep_dims=True))
    total = R.Sum(input=R.Square(x=centered), axis=make_ints(axes), keep_dims=keepdims)
    sizes = read_sizes(x)
    count = multiply_sizes(sizes[a] for a in axes)
    if isinstance(count, int):
        free = tf.constant(float(builtins.max(count - correction, 0)), x.dtype)
    else:
        free = R.Maximum(x=cast(count, x.dtype) - tf.constant(correction, x.dtype), y=tf.constant(0, x.dtype))
    return R.RealDiv(x=total, y=free)


def var(
    x: Array, /, *, axis: int | Sequence[int] | None = None, correction: float = 0.0, keepdims: bool = False
) -> tf.Tensor:
    """Return the variance over ``axis``, divided by the count less ``correction``."""
    x = _check("var", x, _REAL_FLOATING)
    return cast(_compute_var(widen_halves(x), axis, correction, keepdims), x.dtype)


def std(
    x: Array, /, *, axis: int | Sequence[int] | None = None, correction: float = 0.0, keepdims: bool = False
) -> tf.Tensor:
    """Return the square root of `var`."""
    x = _check("std", x, _REAL_FLOATING)
    return cast(R.Sqrt(x=_compute_var(widen_halves(x), axis, correction, keepdims)), x.dtype)


def _find_extreme(name, kernel, x, axis, keepdims):
    x = _check(name, x, _REAL)
    axes = normalize_axes(axis, rank(x))
    if builtins.any(x.shape[a] == 0 for a in axes):
        raise ValueError(f"{name} of no elements is not defined: axes {axes} of shape {tuple(x.shape)}")
    result = kernel(input=x, axis=make_ints(axes), keep_dims=keepdims)
    if is_integer(x.dtype) or tf.executing_eagerly():
        return result
    # XLA's reduction ignores NaN.
    unordered = R.Any(input=R.NotEqual(x=x, y=x), axis=make_ints(axes), keep_dims=keepdims)
    return R.SelectV2(condition=unordered, t=tf.constant(float("nan"), x.dtype), e=result)


def max(x: Array, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> tf.Tensor:
    """Return the largest over ``axis``, NaN if there is one."""
    return _find_extreme("max", R.Max, x, axis, keepdims)


def min(x: Array, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> tf.Tensor:
    """Return the smallest over ``axis``, NaN if there is one."""
    return _find_extreme("min", R.Min, x, axis, keepdims)


def any(x: Array, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> tf.Tensor:
    """Tell whether any over ``axis`` is true (not zero)."""
    x = astype(x, tf.bool)
    return R.Any(input=x, axis=_list_axes(axis, x), keep_dims=keepdims)


def all(x: Array, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> tf.Tensor:
    """Tell whether all over ``axis`` are true (not zero)."""
    x = astype(x, tf.bool)
    return R.All(input=x, axis=_list_axes(axis, x), keep_dims=keepdims)


def count_nonzero(x: Array, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> tf.Tensor:
    """Return how many over ``axis`` are not zero."""
    x = R.Cast(x=astype(x, tf.bool), DstT=INDEX)
    return R.Sum(input=x, axis=_list_axes(axis, x), keep_dims=keepdims)


def _find_place_of_extreme(name, kernel, x, axis, keepdims):
    x = _check(name, x, _REAL | {tf.bool})
    if axis is None:
        flat = flatten(x)
        index = _find_place_along(name, kernel, flat, 0)
        return R.Reshape(tensor=index, shape=make_ints([1] * rank(x))) if keepdims else index
    axis = normalize_axis(axis, rank(x))
    index = _find_place_along(name, kernel, x, axis)
    return R.ExpandDims(input=index, axis=axis) if keepdims else index


def _find_place_along(name, kernel, x, axis):
    if x.shape[axis] == 0:
        raise ValueError(f"{name} of no elements is not defined: axis {axis} of shape {tuple(x.shape)}")
    index = kernel(input=x, dimension=axis, output_type=INDEX)
    if x.dtype not in _REAL_FLOATING:
        return index
    # The first NaN is the extreme, as in NumPy; TensorFlow's kernel ignores NaN.
    unordered = R.NotEqual(x=x, y=x)
    first = R.ArgMax(input=unordered, dimension=axis, output_type=INDEX)
    return R.SelectV2(condition=R.Any(input=unordered, axis=axis), t=first, e=index)


def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> tf.Tensor:
    """Return the index of the largest along ``axis``, the first of equal ones (None: of the flattened array)."""
    return _find_place_of_extreme("argmax", R.ArgMax, x, axis, keepdims)


def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> tf.Tensor:
    """Return the index of the smallest along ``axis``, the first of equal ones (None: of the flattened array)."""
    return _find_place_of_extreme("argmin", R.ArgMin, x, axis, keepdims)


# The types whose cumulative kernels XLA has too.
_CUMULATIVE = frozenset((tf.int32, tf.int64, *REAL_FLOATING))


def _accumulate(name, kernel, initial, x, axis, dtype, include_initial):
    x = _check(name, x, _NUMERIC)
    if axis is None:
        if rank(x) != 1:
            raise ValueError(f"{name} needs an axis for an array of {rank(x)} axes")
        axis = 0
    axis = normalize_axis(axis, rank(x))
    dtype = _find_accumulator(dtype, x)
    if dtype in _HALF:  # as a sum
        wide = _accumulate(name, kernel, initial, x, axis, tf.float32, include_initial)
        return R.Cast(x=wide, DstT=dtype)
    x = cast(x, dtype)
    if is_complex(dtype) and kernel is R.Cumsum:
        real, imag = (kernel(x=part, axis=axis) for part in (tf.math.real(x), tf.math.imag(x)))
        result = R.Complex(real=real, imag=imag, Tout=dtype)
    elif dtype in _CUMULATIVE or is_complex(dtype):
        result = kernel(x=x, axis=axis)
    else:  # exact modulo 2**64, so the low bits are right
        result = cast(kernel(x=cast(x, tf.int64), axis=axis), dtype)
    if include_initial:
        sizes = read_sizes(x)
        sizes[axis] = 1
        first = tf.fill(sizes, tf.constant(initial, dtype))
        result = R.ConcatV2(values=[first, result], axis=axis)
    return result


def cumulative_sum(
    x: Array, /, *, axis: int | None = None, dtype: tf.DType | None = None, include_initial: bool = False
) -> tf.Tensor:
    """Return the running sum along ``axis``, with a leading 0 if ``include_initial``."""
    return _accumulate("cumulative_sum", R.Cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Array, /, *, axis: int | None = None, dtype: tf.DType | None = None, include_initial: bool = False
) -> tf.Tensor:
    """Return the running product along ``axis``, with a leading 1 if ``include_initial``."""
    return _accumulate("cumulative_prod", R.Cumprod, 1, x, axis, dtype, include_initial)


def _apply_along(x, axis, start, stop):
    index = [slice(None)] * rank(x)
    index[axis] = slice(start, stop)
    return x[tuple(index)]


def diff(
    x: Array, /, *, axis: int = -1, n: int = 1, prepend: Array | None = None, append: Array | None = None
) -> tf.Tensor:
    """Return the ``n``-th differences of neighbors along ``axis``, after joining ``prepend`` and ``append``."""
    from ._arrays import promote_all

    x = _check("diff", x, _NUMERIC | {tf.bool})
    axis = normalize_axis(axis, rank(x))
    if n < 0:
        raise ValueError(f"diff needs n >= 0, got {n}")
    parts = [part for part in (prepend, x, append) if part is not None]
    if len(parts) > 1 and n > 0:
        x = R.ConcatV2(values=promote_all(parts), axis=axis)
    for _ in range(n):
        minus = R.NotEqual if x.dtype is tf.bool else R.Sub
        x = minus(x=_apply_along(x, axis, 1, None), y=_apply_along(x, axis, None, -1))
    return x
