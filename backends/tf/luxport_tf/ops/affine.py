"""Products with weights by TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["dense"]


def dense(x: Any, weight: Any, bias: Any = None) -> Any:
    """One matrix product for any number of leading axes."""
    if len(x.shape) == 2:
        y = tf.linalg.matmul(x, weight)
    elif len(x.shape) == 1:
        y = tf.linalg.matvec(weight, x, transpose_a=True)
    else:
        y = tf.tensordot(x, weight, 1)
    return y if bias is None else tf.nn.bias_add(y, bias) if len(y.shape) > 1 else y + bias
