"""Flat vectors by TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["split_vector"]


def split_vector(vector: Any, *, sizes: tuple[int, ...]) -> tuple[Any, ...]:
    """Cut by one operation: its gradient is one concatenation, that of each slice a vector of zeros.

    Where all pieces of a split are reshaped, TensorFlow's optimizer of graphs ends the process: it may not see that.
    """
    return tuple(tf.identity_n(tf.split(vector, list(sizes))))
