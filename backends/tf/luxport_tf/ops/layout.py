"""Transposes between luxport's channels-second and TensorFlow's channels-last layout.

In programs that `value_and_grad` differentiates, opposite transposes cancel, also if sums and elementwise functions are
between them: a chain of layers computes with channels last, and transposes only at its ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import record  # type: ignore[import-untyped]

from luxport.ops.windows import Pairs

__all__ = ["apply_elementwise", "cancel_moves", "pad_spatial", "put_channels_first", "put_channels_last"]

_tape: ContextVar[Any] = ContextVar("luxport_tf_tape", default=None)


@contextmanager
def cancel_moves(tape: Any) -> Iterator[None]:
    """Cancel opposite transposes in computations that this tape records."""
    token = _tape.set(tape)
    try:
        yield
    finally:
        _tape.reset(token)


def put_channels_last(x: Any) -> Any:
    """Move channels behind the spatial axes; if x is the result of the opposite transpose, return that one's input."""
    before = _find_before_move(x)
    return tf.transpose(x, [0, *range(2, len(x.shape)), 1]) if before is None else before


def put_channels_first(x: Any) -> Any:
    """Move channels before the spatial axes."""
    return tf.transpose(x, _order_channels_first(len(x.shape)))


def pad_spatial(x: Any, padding: Pairs, value: float = 0.0) -> Any:
    """Pad the spatial axes of a channels-last array."""
    return tf.pad(x, [[0, 0], *padding, [0, 0]], constant_values=value) if any(map(any, padding)) else x


def apply_elementwise(function: Callable[..., Any], x: Any) -> Any:
    """Apply an elementwise function; if x was transposed, before the transpose, so that a later one can cancel it."""
    before = _find_before_move(x)
    return function(x) if before is None else put_channels_first(function(before))


def _order_channels_first(rank: int) -> list[int]:
    return [0, rank - 1, *range(1, rank - 1)]


def _find_before_move(x: Any) -> Any:
    tape = _tape.get()
    if tape is None or not tf.is_symbolic_tensor(x) or x.graph is not tf.compat.v1.get_default_graph():
        return None
    before = _find_source(x)
    if before is None:
        return None
    # A user's own tape that watches x would not see computations from the array before the transpose.
    with tape.stop_recording():
        return None if record.should_record_backprop([x]) and not record.should_record_backprop([before]) else before


def _find_source(x: Any) -> Any:
    """Return x with channels last, if x is the result of a transpose or a sum of such results; else None."""
    rank = x.shape.rank
    if rank is None or rank < 3:
        return None
    if x.op.type == "Transpose":
        found = tf.get_static_value(x.op.inputs[1])
        return x.op.inputs[0] if found is not None and np.array_equal(found, _order_channels_first(rank)) else None
    if x.op.type == "AddV2":
        terms = [_find_source(term) for term in x.op.inputs]
        if all(term is not None for term in terms) and terms[0].shape == terms[1].shape:
            return terms[0] + terms[1]
    return None
