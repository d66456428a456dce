"""Checks whether a tensor's values can be read now, or a condition on them be noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from luxport_tf.shortcuts import may_rely, rely_on

__all__ = ["may_look", "find_reliance"]


def may_look(x: Any) -> bool:
    """Return whether x can be read without waiting: an eager tensor on the CPU."""
    return tf.executing_eagerly() and not tf.is_symbolic_tensor(x) and "CPU" in x.backing_device


def find_reliance(x: Any) -> Callable[[Any], None] | None:
    """Return `rely_on` if the program may take shortcuts (see `luxport_tf.shortcuts`); otherwise None."""
    return rely_on if may_rely() else None
