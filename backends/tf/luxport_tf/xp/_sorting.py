"""Sorting functions.

TensorFlow sorts by `top_k`, which keeps the order of equal elements but misplaces NaN. So floating-point numbers are
sorted by integers in the same order, with NaN last; complements of these are in the reverse order.
"""

from __future__ import annotations

import tensorflow as tf

from ._arrays import Array, R, cast, make_tensor, normalize_axis, rank, read_sizes
from ._dtypes import BITS_OF, INDEX, INTEGER, REAL_FLOATING
from ._indexing import take_along_axis
from ._manipulation import moveaxis

__all__ = ["argsort", "sort"]

_INTEGER, _REAL_FLOATING = frozenset(INTEGER), frozenset(REAL_FLOATING)


def make_sort_keys(x: tf.Tensor) -> tf.Tensor:
    """Return integers that sort as ``x`` does: equal for equal numbers, the largest for NaN."""
    if x.dtype is tf.bool:
        return R.Cast(x=x, DstT=tf.uint8)
    if x.dtype is tf.uint16:  # no top_k in XLA
        return R.Cast(x=x, DstT=tf.int32)
    if x.dtype in _INTEGER:
        return x
    if x.dtype not in _REAL_FLOATING:
        raise TypeError(f"{x.dtype.name} has no order")
    integer = BITS_OF[x.dtype]
    zero = tf.constant(0, x.dtype)
    bits = R.Bitcast(input=R.SelectV2(condition=R.Equal(x=x, y=zero), t=zero, e=x), type=integer)
    # Sign and magnitude to two's complement.
    negative = R.Less(x=bits, y=tf.constant(0, integer))
    keys = R.SelectV2(condition=negative, t=R.BitwiseXor(x=bits, y=tf.constant(integer.max, integer)), e=bits)
    return R.SelectV2(condition=R.NotEqual(x=x, y=x), t=tf.constant(integer.max, integer), e=keys)


def _order(keys: tf.Tensor, descending: bool) -> tf.Tensor:
    """Return the stable order of the keys along the last axis."""
    keys = keys if descending else R.Invert(x=keys)
    return cast(R.TopKV2(input=keys, k=read_sizes(keys)[-1]).indices, INDEX)


def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> tf.Tensor:
    """Return the indices that sort ``x`` along ``axis``; equal elements always keep their order.

    NaN is the largest: last, or first if ``descending``.
    """
    x = make_tensor(x)
    axis = normalize_axis(axis, rank(x))
    keys = make_sort_keys(x)
    if axis == rank(x) - 1:
        return _order(keys, descending)
    return moveaxis(_order(moveaxis(keys, axis, -1), descending), -1, axis)


def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> tf.Tensor:
    """Sort along ``axis``. NaN is the largest: last, or first if ``descending``."""
    x = make_tensor(x)
    return take_along_axis(x, argsort(x, axis=axis, descending=descending), axis=axis)
