"""TensorFlow's overrides of embeddings and of functions of indices."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from luxport.backend.dtypes import widen_halves
from luxport.ops.indices import expect_integers, mark_missing, require_in_range
from luxport.ops.shapes import read_sizes
from luxport_tf import xp
from luxport_tf.ops.readable_values import may_look

__all__ = ["embedding", "value_range"]


def embedding(table: Any, indices: Any) -> Any:
    """Gather rows once, for indices of any shape, known or not."""
    expect_integers(indices)
    indices, there = require_in_range(xp, indices, read_sizes(table)[0])
    # In float32, so that gradients of rows that are taken several times are summed in float32.
    rows = tf.cast(xp.take(widen_halves(xp, table), indices, axis=0), table.dtype)
    return rows if there is None else mark_missing(xp, rows, there)


def value_range(x: Any) -> tuple[int, int] | None:
    """Return minimum and maximum; None if x is empty or cannot be read now."""
    if not may_look(x) or 0 in x.shape:
        return None
    values = x.numpy()
    return int(values.min()), int(values.max())
