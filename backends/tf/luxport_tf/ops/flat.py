"""TensorFlow's override for splitting flat vectors."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["split_vector"]


def split_vector(vector: Any, *, sizes: tuple[int, ...]) -> tuple[Any, ...]:
    """Split by one operation, whose gradient is one concatenation; that of a slice would be a vector full of zeros.

    TensorFlow's graph optimizer crashes if all pieces of a split are reshaped; `identity_n` prevents that.
    """
    return tuple(tf.identity_n(tf.split(vector, list(sizes))))
