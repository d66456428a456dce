"""TensorFlow's override of `dense`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from luxport import ops
from luxport.ops._affine import check_dense

__all__ = ["dense"]

_WITHOUT_PRODUCTS = frozenset((tf.bool, tf.int8, tf.int16, tf.uint8, tf.uint16, tf.uint32, tf.uint64))

_define_dense = ops.definition_of(ops.dense)


def dense(x: Any, weight: Any, bias: Any = None) -> Any:
    """Compute one matrix product, for any number of leading axes."""
    if x.dtype != weight.dtype or (bias is not None and bias.dtype != x.dtype) or x.dtype in _WITHOUT_PRODUCTS:
        return _define_dense(x, weight, bias)
    check_dense(x, weight, bias)
    if len(x.shape) == 2:
        y = tf.linalg.matmul(x, weight)
    elif len(x.shape) == 1:
        y = tf.linalg.matvec(weight, x, transpose_a=True)
    else:
        y = tf.tensordot(x, weight, 1)
    return y if bias is None else add_bias(y, bias)


def add_bias(y: Any, bias: Any) -> Any:
    """Add a bias along the last axis; for half types in float32, in which the bias's gradient is then summed."""
    if len(y.shape) < 2:
        return y + bias
    if y.dtype.size < 4:
        return tf.cast(tf.nn.bias_add(tf.cast(y, tf.float32), tf.cast(bias, tf.float32)), y.dtype)
    return tf.nn.bias_add(y, bias)
