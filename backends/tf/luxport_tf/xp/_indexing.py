"""Functions that pick elements by indices."""

from __future__ import annotations

import tensorflow as tf

from ._arrays import Array, R, cast, make_tensor, normalize_axis, rank, read_sizes, reshape_to
from ._dtypes import INDEX, is_floating, is_integer
from ._manipulation import broadcast_shapes, broadcast_to, moveaxis

__all__ = ["take", "take_along_axis"]


def _read_indices(indices, size):
    """Return integer indices, counted from the front."""
    indices = make_tensor(indices)
    if not is_integer(indices.dtype):
        raise TypeError(f"indices must be whole numbers, got {indices.dtype.name}")
    if indices.dtype is not tf.int32:
        indices = cast(indices, INDEX)
    size = cast(size, indices.dtype) if isinstance(size, tf.Tensor) else tf.constant(size, indices.dtype)
    negative = R.Less(x=indices, y=tf.constant(0, indices.dtype))
    return R.SelectV2(condition=negative, t=R.AddV2(x=indices, y=size), e=indices)


def take(x: Array, indices: Array, /, *, axis: int | None = None) -> tf.Tensor:
    """Return the slices of ``x`` at ``indices`` (negative ones count from the end) along ``axis``."""
    x = make_tensor(x)
    if axis is None:
        if rank(x) != 1:
            raise ValueError(f"take needs an axis for an array of {rank(x)} axes")
        axis = 0
    axis = normalize_axis(axis, rank(x))
    indices = _read_indices(indices, read_sizes(x)[axis])
    if axis == 0 and is_floating(x.dtype):
        # Along the first axis the gradient would be IndexedSlices, along another one it is a tensor.
        result = R.GatherV2(params=R.ExpandDims(input=x, axis=0), indices=indices, axis=1)
        return R.Squeeze(input=result, axis=[0])
    return R.GatherV2(params=x, indices=indices, axis=axis)


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> tf.Tensor:
    """Return for each vector along ``axis``, its elements at that vector of ``indices``."""
    x, indices = make_tensor(x), make_tensor(indices)
    n = rank(x)
    if rank(indices) != n:
        raise ValueError(f"take_along_axis wants arrays of as many axes, got {n} and {rank(indices)}")
    axis = normalize_axis(axis, n)
    indices = _read_indices(indices, read_sizes(x)[axis])
    x, indices = moveaxis(x, axis, -1), moveaxis(indices, axis, -1)
    if tuple(x.shape[:-1]) != tuple(indices.shape[:-1]):
        common = broadcast_shapes(tuple(x.shape[:-1]), tuple(indices.shape[:-1]))
        x, indices = (
            broadcast_to(x, (*common, x.shape[-1])),
            broadcast_to(indices, (*common, indices.shape[-1])),
        )
    lead, size, picked = read_sizes(x)[:-1], read_sizes(x)[-1], read_sizes(indices)[-1]
    if 0 in x.shape and 0 in indices.shape:  # a reshape by -1 could not tell how many rows of no numbers there are
        return moveaxis(tf.zeros_like(indices, dtype=x.dtype), -1, axis)
    rows = reshape_to(x, (-1, size)) if lead else x
    places = reshape_to(indices, (-1, picked)) if lead else indices
    result = tf.gather(rows, places, batch_dims=1, axis=1) if lead else take(rows, places, axis=0)
    return moveaxis(reshape_to(result, (*lead, picked)) if lead else result, -1, axis)
