"""`TrainState` in few buffers: how many of its arrays may share one, and rows of stacks."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["cut_rows", "join_rows", "most_joined"]


def most_joined(arrays: list[Any]) -> int:
    """Tell how many of a state's arrays may share a buffer: 0 unless all are of one device, and none is of a graph.

    One kernel cuts a buffer into any number of pieces.
    """
    if not all([isinstance(array, tf.Tensor) and not tf.is_symbolic_tensor(array) for array in arrays]):
        return 0
    return 1 << 20 if len({array.backing_device for array in arrays}) == 1 else 0


def join_rows(rows: list[Any]) -> Any:
    """Stack arrays of one shape."""
    return tf.stack(rows)


def cut_rows(stack: Any) -> list[Any]:
    """Take a stack apart."""
    return tf.unstack(stack)
