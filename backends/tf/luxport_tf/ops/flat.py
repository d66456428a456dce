"""Flat vectors by TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["split_vector"]


def split_vector(vector: Any, *, sizes: tuple[int, ...]) -> tuple[Any, ...]:
    """Split by one operation, whose gradient is one concatenation; each slice would have a whole vector of zeros.

    TensorFlow's graph optimizer crashes where all pieces of a split are reshaped: `identity_n` hides that from it.
    """
    return tuple(tf.identity_n(tf.split(vector, list(sizes))))
