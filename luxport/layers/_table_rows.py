"""Lookups in a table, by integers, by one-hot arrays, and by indices on several axes, and reductions of bags."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

from luxport import ops
from luxport.backend import Array, backend_of, dtype_name, match_shapes, namespace
from luxport.backend.dtypes import expect_floating, is_floating, is_integer, widen_halves
from luxport.core.input_checks import check_axis, check_dtype, shape_of, shape_text
from luxport.errors import LayerError, LayerIndexError, LayerTypeError
from luxport.ops._segments import reduce_known_segments
from luxport.ops.averages import average
from luxport.ops.indices import expect_integers, value_range
from luxport.text import name_kind, show

__all__ = ["check_integers", "check_offsets", "gather_rows", "gather_rows_of_axes", "holds_integers", "reduce_segments"]


def gather_rows(weight: Array, x: Any, size: int, padding_idx: int | None) -> Array:
    """Return the rows at integers, or the weighted sums of rows for one-hot arrays."""
    xp = namespace(weight)
    if isinstance(x, Integral):
        _check_range(int(x), size)
        row = weight[int(x), ...]
        return xp.zeros_like(row) if x == padding_idx else row
    if holds_integers(x):
        rows = ops.embedding(weight, x)
        if padding_idx is None:
            return rows
        return xp.where(xp.expand_dims(x == padding_idx, axis=-1), xp.zeros_like(rows), rows)
    if not is_floating(x) and dtype_name(x) != "bool":
        raise LayerTypeError(f"expects integers, or one-hot booleans or floats, got {dtype_name(x)}")
    check_axis(x, -1, size, "(..., {}), one-hot, or integers")
    if dtype_name(x) == "bool":
        x = xp.astype(x, weight.dtype)
    check_dtype(x, weight)
    if padding_idx is not None:
        before, at, after = x[..., :padding_idx], x[..., padding_idx : padding_idx + 1], x[..., padding_idx + 1 :]
        x = xp.concat([before, xp.zeros_like(at), after], axis=-1)
    return xp.matmul(x, weight)


def gather_rows_of_axes(weight: Array, x: Any, sizes: tuple[int, ...]) -> Array:
    """Return the rows of a table with several axes of rows, at indices for each of them."""
    if not isinstance(x, (tuple, list)) or len(x) != len(sizes):
        got = f"a tuple of {len(x)}" if isinstance(x, (tuple, list)) else name_kind(x)
        raise LayerError(f"expects a tuple of {len(sizes)} arrays of indices, one per axis of the table, got {got}")
    for part, size in zip(x, sizes, strict=True):
        if isinstance(part, Integral):
            _check_range(int(part), size)
        else:
            check_integers(part)
    arrays = [part for part in x if not isinstance(part, Integral)]
    if not arrays:
        return weight[(*[int(part) for part in x], ...)]
    for part in arrays[1:]:
        if not match_shapes(part.shape, arrays[0].shape):
            raise LayerError(f"expects indices of one shape, got {shape_text(arrays[0])} and {shape_text(part)}")
    xp = namespace(weight, *arrays)
    one = xp.ones_like(arrays[0], dtype=xp.int32)
    return ops.gather(weight, *[one * int(part) if isinstance(part, Integral) else part for part in x])


def reduce_segments(rows: Array, indices: Array, offsets: Array, reduction: str | Callable[..., Array]) -> Array:
    """Reduce the rows of each bag, from an offset to the next."""
    if not isinstance(reduction, str):
        raise LayerError("expects a list of bags for a custom reduction, got offsets")
    bags = offsets.shape[0]
    if bags is None:
        raise LayerError("expects a number of offsets that is known before the program runs")
    xp = namespace(rows, indices, offsets)
    places = xp.astype(xp.cumulative_sum(xp.ones_like(indices, dtype=xp.int32)), xp.int32) - 1
    segments = xp.clip(xp.searchsorted(offsets, places, side="right") - 1, min=0)
    if reduction == "max":
        top = reduce_known_segments(ops.stop_gradient(rows), segments, op="max", size=bags)
        # The gradient is shared equally by all rows that have the maximum: a row may be in a bag twice.
        largest = xp.astype(rows == xp.take(top, segments, axis=0), rows.dtype)
        count = reduce_known_segments(largest, segments, op="sum", size=bags)
        share = largest / xp.take(count, segments, axis=0)
        return top + reduce_known_segments(share * (rows - ops.stop_gradient(rows)), segments, op="sum", size=bags)
    wide = widen_halves(xp, rows)
    if reduction == "sum":
        return xp.astype(reduce_known_segments(wide, segments, op="sum", size=bags), rows.dtype)
    expect_floating(rows, "weight")
    counts = reduce_known_segments(xp.ones_like(wide), segments, op="sum", size=bags)
    mean = average(wide, mean=lambda rows: reduce_known_segments(rows, segments, op="sum", size=bags) / counts)
    return xp.astype(mean, rows.dtype)


def check_offsets(offsets: Array, indices: Array) -> Array | None:
    """Return None if offsets are known to be valid, otherwise an array that says so when the program runs.

    Raises: LayerError for offsets that are known to be invalid
    """
    count = indices.shape[0]
    if offsets.shape[0] == 0:
        raise LayerError("expects one offset or more, got none")
    first, steps, ends = (value_range(part) for part in (offsets[:1], offsets[1:] - offsets[:-1], offsets))
    if count != 0 and (first is None or ends is None):
        xp = namespace(offsets)
        rising = xp.all(offsets[1:] > offsets[:-1])
        inside = offsets[-1] < xp.sum(xp.ones_like(indices, dtype=offsets.dtype), dtype=offsets.dtype)
        return xp.logical_and(xp.logical_and(offsets[0] == 0, rising), inside)
    rising = steps is None or steps[0] > 0
    if count != 0 and first is not None and ends is not None and first[0] == 0 and rising and ends[1] < count:
        return None
    given = "others" if ends is None else show(backend_of(offsets).to_numpy(offsets).tolist())
    raise LayerError(f"expects offsets that start at 0 and increase, below {count}, the number of indices, got {given}")


def _check_range(index: int, size: int) -> None:
    if not 0 <= index < size:
        raise LayerIndexError(f"expects indices of at least 0 and below {size}, got {index}")


def check_integers(x: Array) -> None:
    """Expect an array of integers."""
    shape_of(x)
    expect_integers(x)


def holds_integers(x: Array) -> bool:
    """Tell whether an array holds integers."""
    shape_of(x)  # raises an error for anything but an array
    return is_integer(x)
