"""Sizes by TensorFlow, some of which only the running graph knows."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["running_sizes"]


def running_sizes(x: Any) -> tuple[Any, ...]:
    """Return the sizes: those that are known as ints, the others as scalars of int32."""
    running = tf.shape(x)
    return tuple([running[axis] if size is None else size for axis, size in enumerate(x.shape)])
