"""Gathering rows by indices, and scattering rows to indices, with a reduction where several go to one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from luxport.backend import Array, dtype_name, is_array, is_inexact, match_shapes, namespace
from luxport.backend.dtypes import (
    convert_indices,
    expect_no_booleans,
    expect_representable,
    is_integer,
    require_real_numbers,
    widen_halves,
)
from luxport.backend.memory import check_memory
from luxport.backend.option_rules import MOST_ELEMENTS, Rule, allow_choice, allow_none, is_int, is_number
from luxport.errors import LayerError, LayerTypeError, shape_text
from luxport.ops._operation import operation
from luxport.ops._segments import reduce_known_segments
from luxport.ops.averages import average
from luxport.ops.indices import expect_integers, mark_missing, require_in_range, value_range
from luxport.ops.shapes import mark_unknown, read_sizes
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["gather", "scatter"]


def _expect_scattered(src: Array, *indices: Array, op: str = "+", init: Any = None, size: Any = None) -> None:
    if init is None or not indices:
        return
    sizes = (size,) if is_int(size) else size or [None] * len(indices)
    rest = tuple(src.shape)[len(indices[0].shape) :]
    if is_array(init) and init.shape and size is not None and not match_shapes(init.shape, (*sizes, *rest)):
        raise LayerError(f"expects init in the shape of the result {(*sizes, *rest)}, got {shape_text(init)}")
    if op not in ("mean", "/"):  # which make floating numbers of integers
        if isinstance(init, (int, float)) and not is_inexact(src):
            expect_representable(src, init, "init")
        if is_array(init) and is_integer(init) != is_integer(src):
            raise LayerTypeError(f"expects init of numbers as src holds, {dtype_name(src)}, got {dtype_name(init)}")
    if isinstance(init, complex) and "complex" not in dtype_name(src):
        raise LayerTypeError(f"expects init as a real number beside {dtype_name(src)}, got {init}")


def _are_sizes(value: Any) -> bool:
    sizes = value if isinstance(value, (tuple, list)) else (value,)
    return all([is_int(n) and 0 <= n <= MOST_ELEMENTS for n in sizes])


def _is_start(value: Any) -> bool:
    return is_number(value) or is_array(value) or isinstance(value, complex)


@operation
def gather(src: Array, *indices: Array) -> Array:
    """Return ``src[indices]``: the entry, or the slice, at each index, counted from 0.

    With several arrays of indices, all of one shape, each is for one of the first axes of src. An index out of range is
    an error if its value can be read; in compiled and transformed programs, and on an accelerator, the entry is NaN
    instead: see `luxport.ops.indices`.

    Shapes: src (n, ...), an index (*places) int -> (*places, ...); with two indices src is (n, m, ...), and so on
    Raises: LayerError if src has too few axes, or the indices differ in shape or are out of range; LayerTypeError
            if they are no integers
    Source: NNlib ``gather``, whose indices name the last axes

    >>> import numpy as np
    >>> gather(np.array([[1, 4], [2, 5], [3, 6]]), np.array([0, 2, 0]))
    array([[1, 4],
           [3, 6],
           [1, 4]])
    >>> gather(np.array([[1, 4], [2, 5], [3, 6]]), np.array([0, 2]), np.array([1, 0]))
    array([4, 3])
    """
    xp = namespace(src, *indices)
    _check_indices(indices, len(src.shape))
    shape = read_sizes(src)
    sizes, rest = shape[: len(indices)], shape[len(indices) :]
    rows = src if len(indices) == 1 else xp.reshape(src, (math.prod(sizes), *rest))
    segments, in_range = _flatten_indices(xp, indices, sizes)
    # The gradient of a row that is taken several times is a sum, in float32.
    picked = xp.astype(xp.take(widen_halves(xp, rows), segments, axis=0), src.dtype)
    if in_range is not None:
        picked = mark_missing(xp, picked, in_range)
    return picked if len(indices[0].shape) == 1 else xp.reshape(picked, (*read_sizes(indices[0]), *rest))


@operation(
    rules={
        "op": allow_choice("+", "-", "*", "/", "max", "min", "mean"),
        "size": allow_none(Rule("an int or a tuple of ints of at least 0", lambda value, shape: _are_sizes(value))),
        "init": allow_none(Rule("a number or an array", lambda value, shape: _is_start(value))),
    },
    guard=_expect_scattered,
    early=False,
)
def scatter(
    src: Array,
    *indices: Array,
    op: str = "+",
    init: Any = None,
    size: int | Sequence[int] | None = None,
) -> Array:
    """Put each slice of src at its index; several slices for one index are reduced with `op`.

    For "max" and "min", each of several equal extremes gets the whole gradient. Indices count from 0 and are below
    `size`. An index out of range is an error if its value can be read; in compiled and transformed programs, and on an
    accelerator, the whole result is NaN instead: see `luxport.ops.indices`.

    Args:
        op: "+", "-", "*", "/", "max", "min" or "mean"
        init: a number or an array to start from; None for the neutral element: 0, 1, or the dtype's extreme value
        size: the sizes of the indexed axes; None for one more than the largest index, except in compiled programs

    Shapes: src (*places, ...), an index (*places) int -> (size, ...); with two indices (*size, ...), and so on
    Raises: LayerError if the shapes do not fit or an index is out of range; LayerTypeError for indices that are no
            integers; ValueError for another op
    Source: NNlib ``scatter``

    >>> import numpy as np
    >>> scatter(np.array([10, 100, 1000]), np.array([2, 0, 2]))
    array([ 100,    0, 1010])
    >>> scatter(np.array([10, 200, 3000]), np.array([0, 3, 1]), op="*", init=10, size=5)
    array([  100, 30000,    10,  2000,    10])
    """
    xp = namespace(src, *indices)
    _check_indices(indices, len(indices))
    places = tuple(indices[0].shape)
    if not match_shapes(tuple(src.shape)[: len(places)], places):
        raise LayerError(f"expects {places} and further axes, as the indices, got {tuple(src.shape)}")
    if op in ("mean", "/"):
        src = require_real_numbers(xp, src, f"scatter with {op!r}")
    expect_no_booleans(src)
    sizes = _find_sizes(xp, indices, size)
    rest, rows = tuple(src.shape)[len(places) :], math.prod(sizes)
    check_memory("the result", (*sizes, *rest))
    segments, in_range = _flatten_indices(xp, indices, sizes)
    if len(places) != 1:
        src = xp.reshape(src, mark_unknown((math.prod(places) if None not in places else None, *rest)))
    if init is not None and tuple(getattr(init, "shape", ())):
        init = xp.reshape(init, (rows, *rest))
    y = _OPERATORS[op](xp, src, segments, rows, init)
    if in_range is not None:
        y = mark_missing(xp, y, xp.all(in_range))
    return xp.reshape(y, (*sizes, *rest))


def _add_segments(xp: Any, src: Array, segments: Array, size: int, init: Any) -> Array:
    total = reduce_known_segments(src, segments, op="sum", size=size)
    return total if init is None else init + total


def _subtract_segments(xp: Any, src: Array, segments: Array, size: int, init: Any) -> Array:
    total = reduce_known_segments(src, segments, op="sum", size=size)
    return xp.zeros_like(total) - total if init is None else init - total


def _multiply_segments(xp: Any, src: Array, segments: Array, size: int, init: Any) -> Array:
    product = reduce_known_segments(src, segments, op="prod", size=size)
    return product if init is None else init * product


def _divide_by_segments(xp: Any, src: Array, segments: Array, size: int, init: Any) -> Array:
    return (1.0 if init is None else init) / reduce_known_segments(src, segments, op="prod", size=size)


def _average_segments(xp: Any, src: Array, segments: Array, size: int, init: Any) -> Array:
    dtype, src = src.dtype, widen_halves(xp, src)
    ones = xp.astype(xp.ones_like(segments), src.dtype)
    count = reduce_known_segments(ones, segments, op="sum", size=size)
    count = xp.reshape(xp.where(count == 0, xp.ones_like(count), count), (size, *[1] * (len(src.shape) - 1)))
    mean = average(src, mean=lambda src: reduce_known_segments(src, segments, op="sum", size=size) / count)
    mean = xp.astype(mean, dtype)
    return mean if init is None else init + mean


def _make_extreme(op: str) -> Any:
    def reduce(xp: Any, src: Array, segments: Array, size: int, init: Any) -> Array:
        top = stop_gradient(reduce_known_segments(stop_gradient(src), segments, op=op, size=size))
        start = None
        if init is not None:
            start = xp.zeros_like(top) + init
            beaten = stop_gradient(start) > top if op == "max" else stop_gradient(start) < top
            top = xp.where(beaten, stop_gradient(start), top)
        if not is_inexact(src):
            return top
        # The gradient is that of differences that are 0, one for each element equal to the extreme.
        y = top + reduce_known_segments(
            _carry_gradient(xp, src, xp.take(top, segments, axis=0)), segments, op="sum", size=size
        )
        return y if start is None else y + _carry_gradient(xp, start, top)

    return reduce


def _carry_gradient(xp: Any, x: Array, top: Array) -> Array:
    """Return zeros that have the gradient of x where x equals `top`, and none elsewhere."""
    finite = xp.logical_and(x == top, xp.isfinite(x))
    x = xp.where(finite, x, xp.zeros_like(x))
    return x - stop_gradient(x)


_OPERATORS: dict[str, Any] = {
    "+": _add_segments,
    "-": _subtract_segments,
    "*": _multiply_segments,
    "/": _divide_by_segments,
    "max": _make_extreme("max"),
    "min": _make_extreme("min"),
    "mean": _average_segments,
}


def _check_indices(indices: tuple[Array, ...], axes: int) -> None:
    for index in indices:
        expect_integers(index)
    shapes = [tuple(index.shape) for index in indices]
    if not shapes or len(shapes) > axes or not all([match_shapes(shape, shapes[0]) for shape in shapes]):
        raise LayerError(f"expects 1 to {axes} arrays of indices of one shape, got shapes {shapes}")


def _find_sizes(xp: Any, indices: tuple[Array, ...], size: int | Sequence[int] | None) -> tuple[int, ...]:
    if size is None:
        seen = [(-1, -1) if 0 in index.shape else value_range(convert_indices(xp, index)) for index in indices]
        if None in seen:
            raise LayerError("expects size= where the values of indices cannot be read")
        return tuple([most + 1 for _, most in seen])  # type: ignore[misc]
    sizes = tuple(size) if isinstance(size, Sequence) else (size,)
    if len(sizes) != len(indices):
        raise LayerError(f"expects a size for each of {len(indices)} arrays of indices, got {sizes}")
    return sizes


def _flatten_indices(xp: Any, indices: tuple[Array, ...], sizes: tuple[Any, ...]) -> tuple[Array, Array | None]:
    """Return the positions that indices stand for in C order, flattened, and which are in range: None for all."""
    flat = in_range = None
    for index, size in zip(indices, sizes, strict=True):
        safe, valid = require_in_range(xp, index, size)
        # A small integer type could not hold the product of the sizes.
        safe = xp.astype(xp.reshape(safe, (-1,)), xp.int32)
        flat = safe if flat is None else flat * size + safe
        if valid is not None:
            valid = xp.reshape(valid, (-1,))
            in_range = valid if in_range is None else xp.logical_and(in_range, valid)
    return flat, in_range
