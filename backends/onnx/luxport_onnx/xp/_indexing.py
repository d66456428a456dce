"""Indexing by brackets, and `roll`, which is made of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport_onnx.graph import SAMPLES, Array, make_constant, record
from luxport_onnx.xp._folding import astype, broadcast_shapes, fold_constants, make_vector
from luxport_onnx.xp._manipulation import (
    broadcast_to,
    concat,
    expand_dims,
    find_number,
    read_sizes,
    reshape,
    squeeze,
    stack,
    take,
)

__all__ = ["getitem", "roll"]


def getitem(x: Array, key: Any) -> Array:
    """Take entries by slices, numbers, new axes and arrays of integers."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if x.is_constant and all([_is_host(part) for part in keys]):
        host = tuple([_find_on_host(part) for part in keys])
        return make_constant(x.value[host if isinstance(key, tuple) else host[0]], x.name)
    keys = _write_out(x, keys)
    axis, slices, dropped, added, taken = 0, [], [], [], []
    place = 0
    for part in keys:
        if part is None:
            added.append(place)
            place += 1
            continue
        if isinstance(part, slice):
            if part != slice(None):
                slices.append((axis, part))
            place += 1
        elif type(part) is Array and part.ndim > 0:
            if part.dtype == np.bool_:
                raise TypeError("onnx takes no entries by flags, of which only the running graph would know how many")
            taken.append((axis, part))
            place += 1
        else:
            _check_index(x, axis, part)
            slices.append((axis, _take_one(part)))
            dropped.append(axis)
        axis += 1
    y = _take_slice(x, slices)
    if taken:
        if added:
            raise TypeError("onnx takes no new axes beside arrays of indices")
        y = _take(y, taken)
        return squeeze(y, tuple(dropped)) if dropped else y
    y = squeeze(y, tuple(dropped)) if dropped else y
    return expand_dims(y, axis=tuple(added)) if added else y


@fold_constants
def roll(x: Array, /, shift: Any, *, axis: Any = None) -> Array:
    """Shift entries along axes; those shifted out at one end come in at the other."""
    if axis is None:
        sizes = read_sizes(x)
        return reshape(roll(reshape(x, (-1,)), shift, axis=0), sizes)
    shifts, axes = (part if isinstance(part, (tuple, list)) else (part,) for part in (shift, axis))
    for n, a in zip(shifts, axes, strict=True):
        size = x.shape[a]
        n = n % size if size else n
        if n:
            before = (slice(None),) * (a % x.ndim)
            x = concat([getitem(x, (*before, slice(-n, None))), getitem(x, (*before, slice(None, -n)))], axis=a)
    return x


def _is_host(part: Any) -> bool:
    if isinstance(part, slice):
        return all([type(end) is not Array or end.is_constant for end in (part.start, part.stop, part.step)])
    return type(part) is not Array or part.is_constant


def _find_on_host(part: Any) -> Any:
    if isinstance(part, slice):
        ends = [int(end.value) if type(end) is Array else end for end in (part.start, part.stop, part.step)]
        return slice(*ends)
    return part.value if type(part) is Array else part


def _write_out(x: Array, keys: list[Any]) -> list[Any]:
    """Replace an ellipsis, and add full slices for the axes that are not named."""
    named = sum([part is not None and part is not ... for part in keys])
    if named > x.ndim:
        raise IndexError(f"at most {x.ndim} indices expected for an array of {x.ndim} axes, got {named}")
    rest = [slice(None)] * (x.ndim - named)
    at = next((i for i, part in enumerate(keys) if part is ...), len(keys))
    return [*keys[:at], *rest, *keys[at + 1 :]]


def _check_index(x: Array, axis: int, index: Any) -> None:
    size = x.shape[axis]
    if type(index) is not Array and size is not None and not -size <= int(index) < size:
        raise IndexError(f"an index in [{-size}, {size}) expected along axis {axis}, got {index}")


def _take_one(index: Any) -> slice:
    """Return the slice of one entry."""
    if type(index) is Array and not index.is_constant:
        return slice(index, index + 1)
    index = int(index.value) if type(index) is Array else int(index)
    return slice(index, None if index == -1 else index + 1)


def _take_slice(x: Array, slices: list[tuple[int, slice]]) -> Array:
    if not slices:
        return x
    most = np.iinfo(np.int64)
    starts, stops, axes, steps = [], [], [], []
    shapes = [list(shape) for shape in x.shapes]
    for axis, part in slices:
        step = 1 if part.step is None else int(part.step)
        for sample, shape in enumerate(shapes):
            ends = [None if end is None else find_number(end, sample) for end in (part.start, part.stop)]
            shape[axis] = len(range(*slice(ends[0], ends[1], step).indices(shape[axis])))
        starts.append(part.start if part.start is not None else 0 if step > 0 else most.max)
        stops.append(part.stop if part.stop is not None else most.max if step > 0 else most.min)
        axes.append(axis)
        steps.append(step)
    if tuple(map(tuple, shapes)) == x.shapes and all([step == 1 for step in steps]):
        return x
    parts = [make_vector(starts), make_vector(stops), make_vector(axes), make_vector(steps)]
    made = record("Slice", x, *parts[: 3 if set(steps) == {1} else 4], dtype=x.dtype, shapes=shapes)
    made.splat = x.splat
    return made


def _take(x: Array, taken: list[tuple[int, Array]]) -> Array:
    if len(taken) == 1:
        axis, indices = taken[0]
        return take(x, indices, axis=axis)
    axes = [axis for axis, _ in taken]
    if axes != list(range(len(axes))):
        raise TypeError("onnx takes entries by arrays of indices of the first axes alone")
    shapes = broadcast_shapes(*[indices for _, indices in taken])
    total = taken[0][1]
    for _, indices in taken[1:]:
        total = total + indices
    spread = [broadcast_to(indices, read_sizes(total)) for _, indices in taken]
    places = stack(spread, axis=-1)
    outputs = [(*shapes[i], *x.shapes[i][len(axes) :]) for i in range(SAMPLES)]
    return record("GatherND", x, astype(places, np.int64), dtype=x.dtype, shapes=outputs)
