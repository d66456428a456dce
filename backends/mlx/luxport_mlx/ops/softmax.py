"""Softmax by MLX."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from luxport import ops
from luxport.ops._softmax import Axes

__all__ = ["softmax"]

_definition = ops.definition_of(ops.softmax)


def softmax(x: Any, *, axis: Axes = -1) -> Any:
    """Call the library once; it makes NaN of inf, so the largest finite number takes the place of inf."""
    if not isinstance(axis, int) or not mx.issubdtype(x.dtype, mx.floating) or 0 in x.shape:
        return _definition(x, axis=axis)
    if x.dtype.size < 4:  # the library's gradient is that of the rounded result
        return softmax(x.astype(mx.float32), axis=axis).astype(x.dtype)
    return mx.softmax(mx.minimum(x, mx.finfo(x.dtype).max), axis)
