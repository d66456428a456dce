"""Packing of a `TrainState`'s arrays: several arrays of one shape are rows of one buffer."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["cut_rows", "join_rows", "most_joined"]


def most_joined(arrays: list[Any]) -> int:
    """Return how many arrays may share a buffer: 0 unless all are eager tensors on one device.

    The limit is high, because one kernel splits a buffer into any number of pieces.
    """
    if not all([isinstance(array, tf.Tensor) and not tf.is_symbolic_tensor(array) for array in arrays]):
        return 0
    return 1 << 20 if len({array.backing_device for array in arrays}) == 1 else 0


def join_rows(rows: list[Any]) -> Any:
    """Stack arrays of one shape."""
    return tf.stack(rows)


def cut_rows(stack: Any) -> list[Any]:
    """Return the rows of a stack."""
    return tf.unstack(stack)
