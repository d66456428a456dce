"""Reading values while a program runs, on TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from luxport_tf.shortcuts import may_rely, rely_on

__all__ = ["may_look", "find_reliance"]


def may_look(x: Any) -> bool:
    """Tell whether x can be read at once: no tensor of a graph, and on the CPU."""
    return tf.executing_eagerly() and not tf.is_symbolic_tensor(x) and "CPU" in x.backing_device


def find_reliance(x: Any) -> Callable[[Any], None] | None:
    """Return the function that notes a condition, in a program that may rely on conditions; else None."""
    return rely_on if may_rely() else None
