"""Sizes of TensorFlow's tensors, some of which are known only when a graph runs."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["running_sizes"]


def running_sizes(x: Any) -> tuple[Any, ...]:
    """Return the sizes: as ints if they are known, else as int32 scalars."""
    running = tf.shape(x)
    return tuple([running[axis] if size is None else size for axis, size in enumerate(x.shape)])
