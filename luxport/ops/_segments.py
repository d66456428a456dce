"""Reductions over segments of rows."""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, find_array_device, match_shapes, namespace
from luxport.backend.dtypes import (
    expect_no_booleans,
    is_integer,
    widen_halves,
)
from luxport.backend.memory import check_memory
from luxport.backend.option_rules import allow_choice, allow_count
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation
from luxport.ops.indices import are_in_range, expect_integers, mark_missing, require_in_range

__all__ = ["reduce_known_segments", "reduce_segments", "segment_reduce"]


@operation(
    takes="src numbers (m, ...), segments int (m)",
    rules={"op": allow_choice("sum", "prod", "max", "min"), "size": allow_count(0)},
)
def segment_reduce(src: Array, segments: Array, *, op: str, size: int) -> Array:
    """Reduce the slices of each segment to their sum, product, maximum or minimum.

    An empty segment has a sum of 0, a product of 1, and the least or the largest value of the dtype as maximum or
    minimum. Segments are numbered from 0 to below `size`, in any order; other numbers are treated as in `scatter`.

    Args:
        op: "sum", "prod", "max" or "min"
        size: how many segments there are

    Shapes: src (m, ...), segments (m,) int -> (size, ...)
    Raises: LayerError if the shapes do not fit or a segment is out of range; LayerTypeError if they are no integers

    >>> import numpy as np
    >>> segment_reduce(np.array([1.0, 2.0, 3.0]), np.array([2, 0, 2]), op="sum", size=3)
    array([2., 0., 4.])
    """
    xp = namespace(src, segments)
    if len(segments.shape) != 1 or not match_shapes(segments.shape, tuple(src.shape)[:1]):
        raise LayerError(f"expects src (m, ...) with segments (m,), got {shape_text(src)} and {shape_text(segments)}")
    expect_integers(segments, "segments")
    check_memory("the result", (size, *src.shape[1:]))
    safe, in_range = require_in_range(xp, segments, size, "segments")
    y = reduce_known_segments(src, safe, op=op, size=size)
    return y if in_range is None else mark_missing(xp, y, xp.all(in_range))


reduce_segments = segment_reduce


def _expect_segments(src: Array, segments: Array, *, op: str, size: int) -> None:
    """Expect arrays that fit. That the segments are in range, a slow check, has been made by the caller."""
    if len(segments.shape) != 1 or not src.shape or not match_shapes(segments.shape, tuple(src.shape)[:1]):
        raise LayerError(f"expects src (m, ...) and segments (m), got {shape_text(src)} and {shape_text(segments)}")
    expect_integers(segments, "segments")
    expect_no_booleans(src)
    check_memory("the result", (size, *src.shape[1:]))
    if size == 0:
        are_in_range(segments, 0, "segments")


def _expect_numbers_of_segments(src: Array, segments: Array, *, op: str, size: int) -> None:
    _expect_segments(src, segments, op=op, size=size)
    are_in_range(segments, size, "segments")


@operation(
    takes="src numbers (m, ...), segments int (m)",
    rules={"op": allow_choice("sum", "prod", "max", "min"), "size": allow_count(0)},
    check=_expect_numbers_of_segments,
    guard=_expect_segments,
    early=False,
)
def reduce_known_segments(src: Array, segments: Array, *, op: str, size: int) -> Array:
    """Reduce the slices of each segment as `segment_reduce` does, for segments that are known to be in range.

    Args:
        op: "sum", "prod", "max" or "min"
        size: how many segments there are

    Shapes: src (m, ...), segments (m,) int -> (size, ...)
    """
    xp = namespace(src, segments)
    if size == 0 or src.shape[0] == 0:
        return xp.full(
            (size, *src.shape[1:]), find_empty_segment(xp, src, op), dtype=src.dtype, device=find_array_device(src)
        )
    numbers = xp.arange(size, dtype=segments.dtype, device=find_array_device(src))
    here = numbers[:, None] == segments[None, :]
    here = xp.reshape(here, (size, -1, *[1] * (len(src.shape) - 1)))
    neutral = xp.full_like(src, find_empty_segment(xp, src, op))
    # Compares each slice with each segment, which is slow: backends override it.
    slices = xp.where(here, src[None, ...], neutral[None, ...])
    if op in ("sum", "prod"):
        slices = widen_halves(xp, slices)
    return xp.astype(_REDUCTIONS[op](xp, slices), src.dtype)


def find_empty_segment(xp: Any, x: Array, op: str) -> float:
    """Return the result for an empty segment."""
    if op in ("sum", "prod"):
        return 0 if op == "sum" else 1
    if is_integer(x):
        return xp.iinfo(x.dtype).min if op == "max" else xp.iinfo(x.dtype).max
    return -math.inf if op == "max" else math.inf


_REDUCTIONS: dict[str, Any] = {
    "sum": lambda xp, x: xp.sum(x, axis=1, dtype=x.dtype),
    "prod": lambda xp, x: xp.prod(x, axis=1, dtype=x.dtype),
    "max": lambda xp, x: xp.max(x, axis=1),
    "min": lambda xp, x: xp.min(x, axis=1),
}
