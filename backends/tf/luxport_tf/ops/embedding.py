"""Rows of a table by TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from luxport.ops.dtypes import single_or_double
from luxport_tf import xp

__all__ = ["embedding", "value_range"]


def embedding(table: Any, indices: Any) -> Any:
    """One gather, whatever the shape of the indices and whether it is known."""
    # Gradients of rows that are taken many times add up in float32.
    return tf.cast(xp.take(single_or_double(xp, table), indices, axis=0), table.dtype)


def value_range(x: Any) -> tuple[int, int] | None:
    """On the host."""
    if not tf.executing_eagerly() or tf.is_symbolic_tensor(x) or 0 in x.shape:
        return None
    values = x.numpy()
    return int(values.min()), int(values.max())
