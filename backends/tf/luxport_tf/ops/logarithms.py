"""TensorFlow's override of `xlogy`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from luxport import ops

__all__ = ["xlogy"]

_define_xlogy = ops.definition_of(ops.xlogy)
_KINDS = (tf.float32, tf.float64)
_HALVES = (tf.float16, tf.bfloat16)


def xlogy(x: Any, y: Any) -> Any:
    """Call TensorFlow's function, whose gradient is x / y; 1 / y, the gradient of log, underflows for the largest y."""
    if x.dtype != y.dtype or x.dtype not in (*_KINDS, *_HALVES):
        return _define_xlogy(x, y)
    if x.dtype in _HALVES:
        return tf.cast(tf.math.xlogy(tf.cast(x, tf.float32), tf.cast(y, tf.float32)), x.dtype)
    return tf.math.xlogy(x, y)
