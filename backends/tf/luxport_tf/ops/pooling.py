"""TensorFlow's overrides of pooling, two axes at a time and with channels last.

TensorFlow's CPU kernels for other layouts lack dtypes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from luxport import ops
from luxport.ops.averages import average
from luxport.ops.shapes import read_sizes
from luxport.ops.windows import Pairs, Sizes
from luxport_tf.ops.layout import pad_spatial, put_channels_first, put_channels_last
from luxport_tf.ops.readable_values import may_look
from luxport_tf.shortcuts import may_rely, rely_on

__all__ = ["max_pool_nd", "mean_pool_nd"]

_max_definition = ops.definition_of(ops.max_pool_nd)
_mean_definition = ops.definition_of(ops.mean_pool_nd)


def max_pool_nd(x: Any, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes) -> Any:
    """Call TensorFlow's function, whose gradient goes to the first of equal maxima, as the definition's does.

    It ignores NaN, and for a window of only -inf it returns the lowest finite number, without a gradient. If x has such
    numbers, a second pool, of marks, finds the windows whose result is replaced by NaN, or by their first element.
    """
    if any(d > 1 for d in dilation) or not x.dtype.is_floating:
        return _max_definition(x, window=window, stride=stride, padding=padding, dilation=dilation)
    options = window, stride, padding
    x = put_channels_last(x)
    if all(max(pair) < k for pair, k in zip(padding, window, strict=True)):  # no window has only padding
        if may_rely():
            rely_on(_is_plain(x))
            return put_channels_first(_pool_batch(_take_max, x, *options))
        if may_look(x) and _is_plain(x):
            return put_channels_first(_pool_batch(_take_max, x, *options))
    return put_channels_first(_pool_batch(_mark_max, x, *options))


def _pool_batch(pool: Callable[..., Any], x: Any, window: Sizes, stride: Sizes, padding: Pairs) -> Any:
    """Pool, without TensorFlow's function if the batch is empty: its compiled gradient would crash."""
    if x.shape[0] is not None and x.shape[0] > 0:
        return pool(x, window, stride, padding)

    def pool_natively() -> Any:
        return _take_first(pad_spatial(x, padding, -math.inf), window, stride)

    if x.shape[0] == 0:
        return pool_natively()
    return tf.cond(tf.shape(x)[0] > 0, lambda: pool(x, window, stride, padding), pool_natively)


def _take_first(x: Any, window: Sizes, stride: Sizes) -> Any:
    return x[(slice(None), *[slice(None, 1 - k or None, s) for k, s in zip(window, stride, strict=True)])]


def _is_plain(x: Any) -> Any:
    """Return whether x has neither NaN nor infinities, by one sum, which is finite only if all terms are."""
    return tf.math.is_finite(tf.reduce_sum(x))


def _take_max(x: Any, window: Sizes, stride: Sizes, padding: Pairs) -> Any:
    return _pool_by_axis(tf.nn.max_pool2d, pad_spatial(x, padding, -math.inf), window, stride)


def _mark_max(x: Any, window: Sizes, stride: Sizes, padding: Pairs) -> Any:
    x = pad_spatial(x, padding, -math.inf)
    y = _pool_by_axis(tf.nn.max_pool2d, x, window, stride)
    marks = tf.cast(x > -math.inf, x.dtype) + 2 * tf.cast(tf.math.is_nan(x), x.dtype)
    marks = _pool_by_axis(tf.nn.max_pool2d, marks, window, stride)
    y = tf.where(marks > 1, tf.constant(math.nan, x.dtype), y)
    return tf.where(marks > 0, y, _take_first(x, window, stride))


def mean_pool_nd(
    x: Any, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes, count_include_pad: bool
) -> Any:
    """Call TensorFlow's function on padded x; if padding does not count, divide by the pool of padded ones."""
    if any(d > 1 for d in dilation) or not x.dtype.is_floating:
        return _mean_definition(
            x, window=window, stride=stride, padding=padding, dilation=dilation, count_include_pad=count_include_pad
        )
    if x.dtype.size < 4:
        options = {"window": window, "stride": stride, "padding": padding, "dilation": dilation}
        y = mean_pool_nd(tf.cast(x, tf.float32), **options, count_include_pad=count_include_pad)
        return tf.cast(y, x.dtype)
    x = put_channels_last(x)
    y = average(x, mean=lambda x: _pool_by_axis(tf.nn.avg_pool2d, pad_spatial(x, padding), window, stride))
    if not count_include_pad and any(map(any, padding)):
        share = _pool_by_axis(tf.nn.avg_pool2d, pad_spatial(tf.ones_like(x[:1, ..., :1]), padding), window, stride)
        y = tf.math.divide_no_nan(y, share)
    return put_channels_first(y)


def _pool_by_axis(pool: Callable[..., Any], x: Any, window: Sizes, stride: Sizes) -> Any:
    """Pool two axes at once; pool one or three axes one after the other, with the same result."""
    if len(window) == 2:
        return pool(x, window, stride, "VALID")
    for axis in reversed(range(1, len(window) + 1)):
        sizes = read_sizes(x)
        flat = tf.reshape(x, (math.prod(sizes[:axis]), sizes[axis], math.prod(sizes[axis + 1 : -1]), sizes[-1]))
        pooled = pool(flat, (window[axis - 1], 1), (stride[axis - 1], 1), "VALID")
        x = tf.reshape(pooled, (*sizes[:axis], read_sizes(pooled)[1], *sizes[axis + 1 :]))
    return x
