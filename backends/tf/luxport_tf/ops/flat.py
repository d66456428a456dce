"""Flat vectors by TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["split_vector"]


def split_vector(vector: Any, *, sizes: tuple[int, ...]) -> tuple[Any, ...]:
    """Cut by one operation: its gradient is one concatenation, that of each slice a vector of zeros."""
    return tuple(tf.split(vector, list(sizes)))
