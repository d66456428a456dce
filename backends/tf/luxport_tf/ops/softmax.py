"""TensorFlow's overrides of softmax and its logarithm."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from luxport import ops
from luxport.ops._softmax import Axes
from luxport_tf.shortcuts import may_rely, rely_on

__all__ = ["logsoftmax", "softmax"]

_softmax_definition = ops.definition_of(ops.softmax)
_logsoftmax_definition = ops.definition_of(ops.logsoftmax)


def softmax(x: Any, *, axis: Axes = -1) -> Any:
    """Call TensorFlow's function in graphs with shortcuts, on condition of no inf and no NaN; else compute the formula.

    TensorFlow's function returns NaN for inf, and ignores NaN. The formula replaces inf by the largest finite number.
    """
    if x.dtype not in (tf.float32, tf.float64):
        return _softmax_definition(x, axis=axis)
    if may_rely() and isinstance(axis, int):
        # A sum is less than inf only if no term is inf or NaN; terms of -inf may be.
        rely_on(tf.reduce_sum(x) < math.inf)
        return tf.nn.softmax(x, axis)
    x = tf.minimum(x, tf.constant(x.dtype.max, x.dtype))
    powers = tf.exp(x - tf.stop_gradient(tf.reduce_max(x, axis, keepdims=True)))
    return powers / tf.reduce_sum(powers, axis, keepdims=True)


def logsoftmax(x: Any, *, axis: Axes = -1) -> Any:
    """Call TensorFlow's function; in rows that have an inf, with 0 in its place and -inf elsewhere."""
    if not isinstance(axis, int) or not x.dtype.is_floating or x.dtype.size < 4:
        return _logsoftmax_definition(x, axis=axis)
    if may_rely():
        rely_on(tf.reduce_sum(x) < math.inf)
        return tf.nn.log_softmax(x, axis)
    infinite = tf.equal(x, tf.constant(math.inf, x.dtype))
    beside = tf.where(infinite, tf.zeros_like(x), tf.constant(-math.inf, x.dtype))
    return tf.nn.log_softmax(tf.where(tf.reduce_any(infinite, axis, keepdims=True), beside, x), axis)
