"""Functions that change the shape or the order."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from ._arrays import (
    Array,
    R,
    Shape,
    Tensor,
    cast,
    flatten,
    make_ints,
    make_shape_tensor,
    make_tensor,
    multiply_sizes,
    normalize_axes,
    normalize_axis,
    promote_all,
    rank,
    read_shape,
    read_sizes,
    reshape_to,
)  # fmt: skip
from ._dtypes import is_integer

__all__ = [
    "broadcast_arrays", "broadcast_shapes", "broadcast_to", "concat", "expand_dims", "flip", "matrix_transpose",
    "moveaxis", "permute_dims", "repeat", "reshape", "roll", "squeeze", "stack", "tile", "unstack",
]  # fmt: skip

_BROADCAST_RANK = 8  # the most axes that TensorFlow's BroadcastTo takes


def _find_known_shape(x, shape):
    """Replace each None in ``shape``: by -1 if that is unambiguous, else by the size of that axis of x."""
    if isinstance(shape, Tensor) or None not in shape:
        return shape
    if sum(d is None or (isinstance(d, int) and d == -1) for d in shape) == 1:
        return tuple(-1 if d is None else d for d in shape)
    sizes = read_sizes(x)
    if any(d is None and i >= len(sizes) for i, d in enumerate(shape)):
        raise ValueError(f"shape {shape} leaves more than one size open for an array of shape {tuple(x.shape)}")
    return tuple(sizes[i] if d is None else d for i, d in enumerate(shape))


def reshape(x: Array, /, shape: Shape, *, copy: bool | None = None) -> tf.Tensor:
    """Return ``x`` in another shape of as many elements; one size may be -1.

    A size may be a scalar tensor, and None (an axis whose size is not known while tracing) is
    the size of the axis of ``x`` in the same place, or whatever is left if all others are known.
    """
    x = make_tensor(x)
    shape = _find_known_shape(x, read_shape(shape))
    if not isinstance(shape, Tensor) and all(isinstance(d, int) for d in shape):
        known = x.shape.num_elements()
        wanted = math.prod(d for d in shape if d != -1)
        open_sizes = shape.count(-1)
        if open_sizes > 1 or any(d < -1 for d in shape):
            raise ValueError(f"shape {shape} must have no negative size but at most one -1")
        if known is not None and (known % wanted if open_sizes and wanted else known != wanted):
            raise ValueError(f"an array of shape {tuple(x.shape)} does not reshape to {shape}")
    return R.Reshape(tensor=x, shape=make_shape_tensor(shape))


def permute_dims(x: Array, /, axes: Sequence[int]) -> tf.Tensor:
    """Return ``x`` with its axes in the order ``axes``."""
    x = make_tensor(x)
    order = normalize_axes(tuple(axes), rank(x))
    if len(order) != rank(x):
        raise ValueError(f"permute_dims of an array of {rank(x)} axes got axes {tuple(axes)}")
    return R.Transpose(x=x, perm=make_ints(order))


def matrix_transpose(x: Array, /) -> tf.Tensor:
    """Return ``x`` with its last two axes swapped."""
    x = make_tensor(x)
    n = rank(x)
    if n < 2:
        raise ValueError(f"matrix_transpose wants at least two axes, got {n}")
    return R.Transpose(x=x, perm=make_ints((*range(n - 2), n - 1, n - 2)))


def moveaxis(x: Array, source: int | Sequence[int], destination: int | Sequence[int], /) -> tf.Tensor:
    """Return ``x`` with axes ``source`` moved to the places ``destination``, the others in their order."""
    x = make_tensor(x)
    n = rank(x)
    source, destination = normalize_axes(source, n), normalize_axes(destination, n)
    if len(source) != len(destination):
        raise ValueError(f"moveaxis wants as many places as axes, got {len(source)} and {len(destination)}")
    order = [axis for axis in range(n) if axis not in source]
    for place, axis in sorted(zip(destination, source, strict=True)):
        order.insert(place, axis)
    return R.Transpose(x=x, perm=make_ints(order))


def expand_dims(x: Array, /, axis: int | Sequence[int]) -> tf.Tensor:
    """Return ``x`` with new axes of size 1 in the places ``axis`` of the result."""
    x = make_tensor(x)
    n = rank(x)
    if not isinstance(axis, Iterable):
        return R.ExpandDims(input=x, axis=normalize_axis(axis, n + 1))
    for place in sorted(normalize_axes(axis, n + len(tuple(axis)))):
        x = R.ExpandDims(input=x, axis=place)
    return x


def squeeze(x: Array, /, axis: int | Sequence[int]) -> tf.Tensor:
    """Return ``x`` without the axes ``axis``, each of size 1."""
    x = make_tensor(x)
    axes = normalize_axes(axis, rank(x))
    for a in axes:
        if x.shape[a] not in (1, None):
            raise ValueError(f"squeeze wants axes of size 1; axis {a} of shape {tuple(x.shape)} is not")
    return R.Squeeze(input=x, axis=list(axes)) if axes else x


def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> tf.Tensor:
    """Return the arrays joined along ``axis``, or one after the other, flattened, for None."""
    arrays = promote_all(arrays)
    if axis is None:
        arrays, axis = [flatten(x) for x in arrays], 0
    axis = normalize_axis(axis, rank(arrays[0]))
    return R.ConcatV2(values=arrays, axis=axis) if len(arrays) > 1 else arrays[0]


def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> tf.Tensor:
    """Return the arrays joined along a new axis."""
    arrays = promote_all(arrays)
    return R.Pack(values=arrays, axis=normalize_axis(axis, rank(arrays[0]) + 1))


def unstack(x: Array, /, *, axis: int = 0) -> tuple[tf.Tensor, ...]:
    """Return a tuple of the slices along ``axis``, whose size must be known."""
    x = make_tensor(x)
    axis = normalize_axis(axis, rank(x))
    if x.shape[axis] is None:
        raise ValueError(f"unstack must know the size of axis {axis}; got shape {tuple(x.shape)}")
    return tuple(R.Unpack(value=x, num=x.shape[axis], axis=axis))


def flip(x: Array, /, *, axis: int | Sequence[int] | None = None) -> tf.Tensor:
    """Return ``x`` in reverse order along ``axis`` (an int, a tuple, or None for all)."""
    x = make_tensor(x)
    axes = normalize_axes(axis, rank(x))
    return R.ReverseV2(tensor=x, axis=make_ints(axes)) if axes else x


def roll(x: Array, /, shift: int | Sequence[int], *, axis: int | Sequence[int] | None = None) -> tf.Tensor:
    """Shift ``x`` along ``axis``; elements shifted out at one end come in at the other."""
    x = make_tensor(x)
    shifts = tuple(shift) if isinstance(shift, Iterable) else (shift,)
    if axis is None:
        if len(shifts) != 1:
            raise ValueError("roll wants one shift if axis is None")
        flat = R.Roll(input=flatten(x), shift=make_ints(shifts), axis=make_ints([0]))
        return reshape_to(flat, read_sizes(x))
    axes = tuple(normalize_axis(a, rank(x)) for a in (axis if isinstance(axis, Iterable) else (axis,)))
    if len(shifts) == 1:
        shifts = shifts * len(axes)
    if len(shifts) != len(axes):
        raise ValueError(f"roll wants one shift for each axis, got {len(shifts)} for {len(axes)}")
    return R.Roll(input=x, shift=make_ints(shifts), axis=make_ints(axes)) if axes else x


def repeat(x: Array, repeats: int | Array, /, *, axis: int | None = None) -> tf.Tensor:
    """Repeat each element, or slice along ``axis``: ``repeats`` is an int, or a number for each."""
    x = make_tensor(x)
    if axis is None:
        x, axis = flatten(x), 0
    axis = normalize_axis(axis, rank(x))
    if isinstance(repeats, int):
        if repeats < 0:
            raise ValueError(f"repeats must not be negative, got {repeats}")
        sizes = read_sizes(x)
        outer, inner = multiply_sizes(sizes[:axis]), multiply_sizes(sizes[axis + 1 :])
        columns = reshape_to(x, (outer, sizes[axis], 1, inner))
        spread = R.BroadcastTo(input=columns, shape=make_shape_tensor((outer, sizes[axis], repeats, inner)))
        return reshape_to(spread, (*sizes[:axis], sizes[axis] * repeats, *sizes[axis + 1 :]))
    counts = make_tensor(repeats) if isinstance(repeats, (Tensor, tf.Variable)) else tf.constant(repeats)
    if not is_integer(counts.dtype):
        raise TypeError(f"repeats must be whole numbers, got {counts.dtype.name}")
    counts = R.BroadcastTo(input=cast(counts, tf.int64), shape=make_shape_tensor([read_sizes(x)[axis]]))
    ends = R.Cumsum(x=counts, axis=0)
    total = R.Sum(input=counts, axis=0)
    places = R.Range(start=tf.constant(0, tf.int64), limit=total, delta=tf.constant(1, tf.int64))
    return tf.gather(x, tf.searchsorted(ends, places, side="right"), axis=axis)


def tile(x: Array, repetitions: Sequence[int], /) -> tf.Tensor:
    """Repeat ``x`` along each axis: ``repetitions`` belong to the last axes."""
    x = make_tensor(x)
    counts = list(repetitions)
    sizes = read_sizes(x)
    if len(sizes) < len(counts):
        x = reshape_to(x, [1] * (len(counts) - len(sizes)) + sizes)
    counts = [1] * (rank(x) - len(counts)) + counts
    if x.dtype is tf.uint16:  # without a kernel outside XLA
        return R.Bitcast(
            input=R.Tile(input=R.Bitcast(input=x, type=tf.int16), multiples=make_shape_tensor(counts)),
            type=tf.uint16,
        )
    return R.Tile(input=x, multiples=make_shape_tensor(counts))


def _open_shape(x, shape):
    """Replace each None in ``shape`` by the size of that axis of x, counted from the last."""
    if isinstance(shape, Tensor) or None not in shape:
        return shape
    sizes = read_sizes(x)
    offset = len(shape) - len(sizes)
    return tuple(sizes[i - offset] if d is None else d for i, d in enumerate(shape))


def broadcast_to(x: Array, /, shape: Shape) -> tf.Tensor:
    """Return ``x`` with its axes of size 1, and new leading ones, stretched to ``shape``."""
    x = make_tensor(x)
    sizes: Any = _open_shape(x, read_shape(shape))
    if not isinstance(sizes, Tensor):
        static = tf.TensorShape([d if isinstance(d, int) else None for d in sizes])
        known = x.shape.is_fully_defined() and static.is_fully_defined()
        if known and broadcast_shapes(tuple(x.shape), tuple(static)) != tuple(static):
            raise ValueError(f"an array of shape {tuple(x.shape)} does not broadcast to {tuple(static)}")
        if len(sizes) > _BROADCAST_RANK:
            return tile(reshape_to(x, [1] * (len(sizes) - rank(x)) + read_sizes(x)), _find_stretches(x, sizes))
    return R.BroadcastTo(input=x, shape=make_shape_tensor(sizes))


def _find_stretches(x, shape):
    sizes = [1] * (len(shape) - rank(x)) + read_sizes(x)
    return [1 if isinstance(a, int) and a == b else b for a, b in zip(sizes, shape, strict=True)]


def broadcast_shapes(*shapes: Sequence[int | None]) -> tuple[int | None, ...]:
    """Return the shape to which all the shapes broadcast; a size that is not known is None."""
    ndim = max((len(tuple(shape)) for shape in shapes), default=0)
    result = []
    for place in range(-ndim, 0):
        sizes = {shape[place] for shape in map(tuple, shapes) if len(shape) >= -place} - {1}
        known = {operator.index(d) for d in sizes if d is not None}
        if len(known) > 1:
            raise ValueError(f"shapes {', '.join(str(tuple(s)) for s in shapes)} do not broadcast together")
        result.append(known.pop() if known else (None if sizes else 1))
    return tuple(result)


def broadcast_arrays(*arrays: Array) -> tuple[tf.Tensor, ...]:
    """Return the arrays, each broadcast to the shape that they have together."""
    tensors = [make_tensor(x) for x in arrays]
    if not tensors:
        return ()
    shape = broadcast_shapes(*(tuple(x.shape) for x in tensors))
    if None in shape:
        target = R.Shape(input=tensors[0])
        for x in tensors[1:]:
            target = R.BroadcastArgs(s0=target, s1=R.Shape(input=x))
    else:
        target = shape
    return tuple(x if tuple(x.shape) == shape and None not in shape else broadcast_to(x, target) for x in tensors)
