"""`move_in_buckets`: joins small arrays before they are sent, because each message has a fixed cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

__all__ = ["move_in_buckets"]

BUCKET = 16 * 2**20
"""The largest size of a bucket in bytes."""


def move_in_buckets(arrays: Sequence[Any], move: Callable[[Any], Any]) -> list[Any]:
    """Join arrays of one dtype, apply `move`, and split the results.

    Joining begins with the last arrays, because a backward pass computes the last gradients first.
    """
    buckets: list[tuple[Any, int, list[int]]] = []
    rows: dict[int, Any] = {}
    new = list(arrays)
    for i in reversed(range(len(arrays))):
        if 0 in arrays[i].shape:  # TensorFlow crashes on sending an empty array
            continue
        rows[i] = tf.reshape(_cast_to_send(arrays[i]), [-1])
        size = (rows[i].shape[0] or 0) * rows[i].dtype.size
        if buckets and buckets[-1][0] == rows[i].dtype and buckets[-1][1] + size <= BUCKET:
            _, before, members = buckets.pop()
            buckets.append((rows[i].dtype, before + size, [*members, i]))
        else:
            buckets.append((rows[i].dtype, size, [i]))
    for _, _, members in buckets:
        joined = rows[members[0]] if len(members) == 1 else tf.concat([rows[i] for i in members], 0)
        parts = tf.split(move(joined), [_read_shape(rows[i])[0] for i in members])
        for i, part in zip(members, parts, strict=True):
            new[i] = tf.reshape(_cast_back(part, arrays[i].dtype), _read_shape(arrays[i]))
    return new


def _read_shape(array: Any) -> Any:
    """Return the shape: static if it is fully known, else as a tensor."""
    return array.shape if array.shape.is_fully_defined() else tf.shape(array)


_SENT: dict[str, Any] = {"bool": tf.int32, "int8": tf.int32, "uint8": tf.int32, "int16": tf.int32, "uint16": tf.int32}
_SENT |= {"uint32": tf.int64, "uint64": tf.int64}
"""For dtypes that TensorFlow's collectives cannot sum: the dtype in which they are sent."""


def _cast_to_send(array: Any) -> Any:
    if array.dtype.is_complex:
        return tf.stack([tf.math.real(array), tf.math.imag(array)], -1)
    return tf.cast(array, _SENT.get(array.dtype.name, array.dtype))


def _cast_back(part: Any, dtype: Any) -> Any:
    if dtype.is_complex:
        pairs = tf.reshape(part, [-1, 2])
        return tf.complex(pairs[:, 0], pairs[:, 1])
    return tf.cast(part, dtype)
