"""Looking at numbers in passing on TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["may_look"]


def may_look(x: Any) -> bool:
    """Not in a graph, and on the CPU alone."""
    return tf.executing_eagerly() and not tf.is_symbolic_tensor(x) and "CPU" in x.backing_device
