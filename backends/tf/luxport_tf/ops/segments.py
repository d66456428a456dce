"""TensorFlow's override of reductions over segments."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from luxport_tf.ops.int32_counts import expect_countable

__all__ = ["reduce_known_segments"]

_CALLS = {
    "sum": tf.math.unsorted_segment_sum,
    "prod": tf.math.unsorted_segment_prod,
    "max": tf.math.unsorted_segment_max,
    "min": tf.math.unsorted_segment_min,
}


def reduce_known_segments(src: Any, segments: Any, *, op: str, size: int) -> Any:
    """Call TensorFlow's function; for empty segments it returns the largest finite number, which becomes infinite."""
    expect_countable("segments", size)
    if segments.dtype not in (tf.int32, tf.int64):
        segments = tf.cast(segments, tf.int64)
    if op in ("sum", "prod") and src.dtype.is_floating and src.dtype.size < 4:
        return tf.cast(_CALLS[op](tf.cast(src, tf.float32), segments, size), src.dtype)
    y = _CALLS[op](src, segments, size)
    if op in ("sum", "prod") or not src.dtype.is_floating:
        return y
    extreme = -math.inf if op == "max" else math.inf
    empty = tf.equal(tf.math.unsorted_segment_sum(tf.ones_like(segments), segments, size), 0)
    empty = tf.reshape(empty, (size, *[1] * (len(src.shape) - 1)))
    return tf.where(empty, tf.constant(extreme, src.dtype), y)
