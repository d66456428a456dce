"""Functions that change the shape or the order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from luxport.ops.shapes import broadcast_sizes
from luxport_onnx.graph import SAMPLES, Array, make_constant, record, record_all
from luxport_onnx.xp._folding import astype, fold_constants, make_array, make_vector, promote_arrays

__all__ = [
    "broadcast_arrays", "broadcast_to", "concat", "expand_dims", "flip", "matrix_transpose", "moveaxis", "permute_dims",
    "repeat", "reshape", "squeeze", "stack", "take", "tile", "unstack",
]  # fmt: skip


def read_sizes(x: Array) -> tuple[Any, ...]:
    """Return the sizes of x: ints, or scalar arrays of int64 for those that only the running graph knows."""

    def running(axis: int) -> Array:
        one = record("Shape", x, dtype=np.int64, shapes=[(1,)] * SAMPLES, start=axis, end=axis + 1)
        made = squeeze(one, 0)
        made.numbers = tuple([np.int64(shape[axis]) for shape in x.shapes])
        return made

    return tuple([running(axis) if n is None else n for axis, n in enumerate(x.shape)])


def find_number(size: Any, sample: int) -> int:
    """Return a size for one sample of the free sizes.

    Raises: TypeError for an array that is not computed from sizes alone
    """
    if type(size) is not Array:
        return int(size)
    if size.is_constant:
        return int(size.value)
    if size.numbers is None:
        raise TypeError("onnx expects sizes that follow from the inputs' sizes, got one that depends on their numbers")
    return int(size.numbers[sample])


@fold_constants
def reshape(x: Array, /, shape: Any, *, copy: bool | None = None) -> Array:
    """Return the entries in another shape; one size may be -1."""
    wanted = list(shape) if isinstance(shape, (tuple, list)) else [shape]
    shapes = []
    for sample in range(SAMPLES):
        sizes = [find_number(size, sample) for size in wanted]
        count = int(np.prod(x.shapes[sample], dtype=object))
        if -1 in sizes:
            known = -int(np.prod(sizes, dtype=object))
            sizes[sizes.index(-1)] = count // known if known else 0
        if int(np.prod(sizes, dtype=object)) != count:
            raise ValueError(f"reshape of {x.shape} expects as many entries, got the shape {tuple(shape)}")
        shapes.append(tuple(sizes))
    if tuple(shapes) == x.shapes:
        return x
    node = x.node
    if node is not None and node.operator == "Reshape" and node.inputs[0].shapes == tuple(shapes):  # type: ignore[union-attr]
        return node.inputs[0]  # type: ignore[return-value]
    made = record("Reshape", x, _find_target(x, wanted, shapes), dtype=x.dtype, shapes=shapes)
    made.splat = x.splat
    return made


def _find_target(x: Array, wanted: list[Any], shapes: list[Any]) -> Array:
    """Return a shape for Reshape: if possible a constant, in which -1 and 0 stand for sizes that are not known."""
    known = [sizes[0] if len({*sizes}) == 1 else None for sizes in zip(*shapes, strict=True)]
    if 0 not in known:
        written = [-2 if n is None else n for n in known]
        for axis, n in enumerate(written):
            if n == -2 and axis < x.ndim and all(s[axis] == t[axis] for s, t in zip(x.shapes, shapes, strict=True)):
                written[axis] = 0
        if written.count(-2) <= 1:
            return make_constant(np.asarray([-1 if n == -2 else n for n in written], np.int64))
    return make_vector(wanted)


@fold_constants
def permute_dims(x: Array, /, axes: Sequence[int]) -> Array:
    """Permute the axes."""
    axes = [axis % x.ndim for axis in axes]
    if axes == list(range(x.ndim)):
        return x
    node = x.node
    if node is not None and node.operator == "Transpose":
        inner = node.attributes["perm"]
        return permute_dims(node.inputs[0], [inner[axis] for axis in axes])
    shapes = [tuple([shape[axis] for axis in axes]) for shape in x.shapes]
    made = record("Transpose", x, dtype=x.dtype, shapes=shapes, perm=axes)
    made.splat = x.splat
    return made


@fold_constants
def matrix_transpose(x: Array, /) -> Array:
    """Swap the last two axes."""
    return permute_dims(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


@fold_constants
def moveaxis(x: Array, source: Any, destination: Any, /) -> Array:
    """Move axes to other positions."""
    sources = [axis % x.ndim for axis in (source if isinstance(source, tuple) else (source,))]
    targets = [axis % x.ndim for axis in (destination if isinstance(destination, tuple) else (destination,))]
    order = [axis for axis in range(x.ndim) if axis not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return permute_dims(x, order)


@fold_constants
def expand_dims(x: Array, /, *, axis: Any = 0) -> Array:
    """Add axes of size 1."""
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    rank = x.ndim + len(axes)
    places = sorted([a % rank for a in axes])
    node = x.node
    if node is not None and node.operator == "Squeeze" and node.inputs[1].value.tolist() == places:  # type: ignore[union-attr]
        return node.inputs[0]  # type: ignore[return-value]
    shapes = []
    for shape in x.shapes:
        sizes = list(shape)
        for place in places:
            sizes.insert(place, 1)
        shapes.append(tuple(sizes))
    made = record("Unsqueeze", x, make_vector(places), dtype=x.dtype, shapes=shapes)
    made.splat = x.splat
    return made


@fold_constants
def squeeze(x: Array, /, axis: Any) -> Array:
    """Drop axes of size 1."""
    places = sorted([a % x.ndim for a in (axis if isinstance(axis, (tuple, list)) else (axis,))])
    if not places:
        return x
    if any([shape[place] != 1 for shape in x.shapes for place in places]):
        raise ValueError(f"squeeze expects axes of size 1, got {x.shape} and the axes {tuple(places)}")
    node = x.node
    if node is not None and node.operator == "Unsqueeze" and node.inputs[1].value.tolist() == places:  # type: ignore[union-attr]
        return node.inputs[0]  # type: ignore[return-value]
    shapes = [tuple([n for a, n in enumerate(shape) if a not in places]) for shape in x.shapes]
    made = record("Squeeze", x, make_vector(places), dtype=x.dtype, shapes=shapes)
    made.splat = x.splat
    return made


@fold_constants
def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    """Join arrays along an axis; None flattens them first."""
    if axis is None:
        arrays, axis = [reshape(x, (-1,)) for x in arrays], 0
    arrays = promote_arrays(*arrays)
    if len(arrays) == 1:
        return arrays[0]
    axis = axis % arrays[0].ndim
    shapes = []
    for sample in range(SAMPLES):
        parts = [x.shapes[sample] for x in arrays]
        rest = {(*part[:axis], *part[axis + 1 :]) for part in parts}
        if len(rest) > 1:
            raise ValueError(
                f"concat expects shapes that agree but for the axis {axis}, got {[x.shape for x in arrays]}"
            )
        sizes = list(parts[0])
        sizes[axis] = sum(part[axis] for part in parts)
        shapes.append(tuple(sizes))
    return record("Concat", *arrays, dtype=arrays[0].dtype, shapes=shapes, axis=axis)


@fold_constants
def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
    """Join arrays along a new axis."""
    axis = axis % (arrays[0].ndim + 1)
    return concat([expand_dims(x, axis=axis) for x in promote_arrays(*arrays)], axis=axis)


@fold_constants
def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """Return the slices along an axis."""
    axis = axis % x.ndim
    count = x.shape[axis]
    if count is None:
        raise ValueError("onnx takes an array apart along an axis whose size is known alone, got one that is free")
    return tuple([squeeze(part, axis) for part in split(x, [1] * count, axis)])


def split(x: Array, sizes: Sequence[int], axis: int) -> tuple[Array, ...]:
    """Cut an array into parts of these sizes."""
    if len(sizes) == 1:
        return (x,)
    if x.is_constant:
        parts = np.split(x.value, np.cumsum(sizes)[:-1], axis)
        return tuple([make_constant(part, x.name) for part in parts])
    outputs = [(x.dtype, [(*shape[:axis], n, *shape[axis + 1 :]) for shape in x.shapes]) for n in sizes]
    return record_all("Split", [x, make_vector(sizes)], outputs, axis=axis)


@fold_constants
def flip(x: Array, /, *, axis: Any = None) -> Array:
    """Reverse the order of the entries along axes."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = [a % x.ndim for a in axes if x.shape[a] != 1]
    if not axes:
        return x
    low = np.iinfo(np.int64).min
    ends = [[-1] * len(axes), [low] * len(axes), axes, [-1] * len(axes)]
    return record("Slice", x, *[make_vector(part) for part in ends], dtype=x.dtype, shapes=x.shapes)


@fold_constants
def broadcast_to(x: Array, /, shape: Any) -> Array:
    """Broadcast to a larger shape."""
    shapes = [tuple([find_number(size, sample) for size in shape]) for sample in range(SAMPLES)]
    for own, other in zip(x.shapes, shapes, strict=True):
        if broadcast_sizes(own, other) != other:
            raise ValueError(f"{x.shape} cannot be broadcast to {tuple(shape)}")
    if tuple(shapes) == x.shapes:
        return x
    made = record("Expand", x, make_vector(shape), dtype=x.dtype, shapes=shapes)
    made.splat = x.splat
    return made


def broadcast_arrays(*arrays: Array) -> list[Array]:
    """Broadcast arrays to their common shape."""
    shape = broadcast_sizes(*[x.shape for x in arrays])  # type: ignore[misc]
    return [broadcast_to(x, shape) for x in arrays]


@fold_constants
def tile(x: Array, repetitions: tuple[int, ...], /) -> Array:
    """Repeat an array along each axis."""
    rank = max(x.ndim, len(repetitions))
    x = expand_dims(x, axis=tuple(range(rank - x.ndim))) if rank > x.ndim else x
    times = (*[1] * (rank - len(repetitions)), *repetitions)
    shapes = [tuple([n * t for n, t in zip(shape, times, strict=True)]) for shape in x.shapes]
    return record("Tile", x, make_vector(times), dtype=x.dtype, shapes=shapes)


def convert_indices(x: Array) -> Array:
    """Return integers in a dtype that ONNX takes as indices."""
    return x if x.dtype in (np.int32, np.int64) else astype(x, np.int64)


@fold_constants
def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """Return the slices at indices along an axis."""
    axis = 0 if axis is None else axis % x.ndim
    indices = convert_indices(make_array(indices))
    shapes = [(*s[:axis], *i, *s[axis + 1 :]) for s, i in zip(x.shapes, indices.shapes, strict=True)]
    return record("Gather", x, indices, dtype=x.dtype, shapes=shapes, axis=axis)


@fold_constants
def repeat(x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    """Repeat every entry along an axis."""
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    if type(repeats) is Array and not repeats.is_constant:
        raise TypeError("onnx repeats entries a fixed number of times alone, got an array that depends on inputs")
    times = np.asarray(make_array(repeats).value)
    axis = axis % x.ndim
    if times.ndim:
        return take(x, make_constant(np.repeat(np.arange(len(times)), times)), axis=axis)
    sizes = list(read_sizes(x))
    copies = tile(expand_dims(x, axis=axis + 1), (*[1] * (axis + 1), int(times), *[1] * (x.ndim - axis - 1)))
    sizes[axis] = sizes[axis] * int(times)
    return reshape(copies, tuple(sizes))
