"""Gathering rows by their indices, and scattering them back with a reduction where several meet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from luxport.backend import Array, array_device, namespace
from luxport.errors import LayerError
from luxport.ops.dtypes import as_indices, real_numbers, single_or_double
from luxport.ops.operation import operation
from luxport.ops.stop_gradient import stop_gradient

__all__ = ["gather", "scatter", "segment_reduce"]


@operation
def gather(src: Array, *indices: Array) -> Array:
    """Return ``src[indices]``: the entry, or the slice, at each index, counted from 0.

    Indices of one shape name places along the first axes of src, one array an axis.

    Shapes: src (n, ...), an index (*places) int -> (*places, ...); with two indices src is (n, m, ...), and so on
    Raises: LayerError if src has too few axes, or the indices differ in shape
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
    sizes = tuple(src.shape)[: len(indices)]
    rest = tuple(src.shape)[len(indices) :]
    rows = src if len(indices) == 1 else xp.reshape(src, (math.prod(sizes), *rest))
    # Gradients of rows that are taken many times add up in float32.
    picked = xp.astype(xp.take(single_or_double(xp, rows), _flat(xp, indices, sizes), axis=0), src.dtype)
    return picked if len(indices[0].shape) == 1 else xp.reshape(picked, _filled((*indices[0].shape, *rest)))


@operation
def scatter(
    src: Array,
    *indices: Array,
    op: str = "+",
    init: Any = None,
    size: int | Sequence[int] | None = None,
) -> Array:
    """Put each slice of src where its index says, and reduce with `op` what meets there.

    op is ``"+"``, ``"-"``, ``"*"``, ``"/"``, ``"max"``, ``"min"`` or ``"mean"``. It starts from `init`, a number or
    an array of the result's shape (if None, from 0, 1 for products and quotients, and the extremes for max and min);
    a mean is added to it. Of equal extremes each has the whole gradient. Indices count from 0 and are below `size`,
    which without `size` is one more than the largest: a compiled program must be told.

    Shapes: src (*places, ...), an index (*places) int -> (size, ...); with two indices (*size, ...), and so on
    Raises: LayerError if the shapes do not fit; ValueError for another op
    Source: NNlib ``scatter``

    >>> import numpy as np
    >>> scatter(np.array([10, 100, 1000]), np.array([2, 0, 2]))
    array([ 100,    0, 1010])
    >>> scatter(np.array([10, 200, 3000]), np.array([0, 3, 1]), op="*", init=10, size=5)
    array([  100, 30000,    10,  2000,    10])
    """
    xp = namespace(src, *indices)
    if op not in _OPERATORS:
        raise ValueError(f"scatter expects op to be one of {', '.join(_OPERATORS)}, got {op!r}")
    _check_indices(indices, len(indices))
    places = tuple(indices[0].shape)
    if len(src.shape) < len(places) or any(
        n != m and None not in (n, m) for n, m in zip(src.shape, places, strict=False)
    ):
        raise LayerError(f"expects {places} and further axes, as the indices, got {tuple(src.shape)}")
    if op in ("mean", "/"):
        src = real_numbers(xp, src, f"scatter with {op!r}")
    sizes = _sizes(xp, indices, size)
    rest, rows = tuple(src.shape)[len(places) :], math.prod(sizes)
    segments = _flat(xp, indices, sizes)
    if len(places) != 1:
        src = xp.reshape(src, _filled((math.prod(places) if None not in places else None, *rest)))
    if init is not None and tuple(getattr(init, "shape", ())):
        init = xp.reshape(init, (rows, *rest))
    return xp.reshape(_OPERATORS[op](xp, src, segments, rows, init), (*sizes, *rest))


@operation
def segment_reduce(src: Array, segments: Array, *, op: str, size: int) -> Array:
    """Reduce the slices of each segment: their sum, prod, max or min.

    A segment without any has 0, 1, or the extreme that any number beats. Numbers of segments are in [0, size), in
    any order.

    Shapes: src (m, ...), segments (m,) int -> (size, ...)

    >>> import numpy as np
    >>> segment_reduce(np.array([1.0, 2.0, 3.0]), np.array([2, 0, 2]), op="sum", size=3)
    array([2., 0., 4.])
    """
    xp = namespace(src, segments)
    numbers = xp.arange(size, dtype=segments.dtype, device=array_device(src))
    here = numbers[:, None] == segments[None, :]
    here = xp.reshape(here, (size, -1, *[1] * (len(src.shape) - 1)))
    neutral = xp.full_like(src, empty_segment(xp, src.dtype, op))
    # Every slice stands in every segment: short to say and exact, and why backends have their own.
    slices = xp.where(here, src[None, ...], neutral[None, ...])
    if op in ("sum", "prod"):
        slices = single_or_double(xp, slices)
    return xp.astype(_REDUCTIONS[op](xp, slices), src.dtype)


def empty_segment(xp: Any, dtype: Any, op: str) -> float:
    """Return what the reduction of nothing is."""
    if op in ("sum", "prod"):
        return 0 if op == "sum" else 1
    if any(dtype == getattr(xp, name) for name in _INTEGERS):
        return xp.iinfo(dtype).min if op == "max" else xp.iinfo(dtype).max
    return -math.inf if op == "max" else math.inf


_INTEGERS = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64")

_REDUCTIONS: dict[str, Any] = {
    "sum": lambda xp, x: xp.sum(x, axis=1, dtype=x.dtype),
    "prod": lambda xp, x: xp.prod(x, axis=1, dtype=x.dtype),
    "max": lambda xp, x: xp.max(x, axis=1),
    "min": lambda xp, x: xp.min(x, axis=1),
}


def _sum(xp: Any, src: Array, segments: Array, size: int, init: Any) -> Array:
    total = segment_reduce(src, segments, op="sum", size=size)
    return total if init is None else init + total


def _minus(xp: Any, src: Array, segments: Array, size: int, init: Any) -> Array:
    total = segment_reduce(src, segments, op="sum", size=size)
    return xp.zeros_like(total) - total if init is None else init - total


def _times(xp: Any, src: Array, segments: Array, size: int, init: Any) -> Array:
    product = segment_reduce(src, segments, op="prod", size=size)
    return product if init is None else init * product


def _over(xp: Any, src: Array, segments: Array, size: int, init: Any) -> Array:
    return (1.0 if init is None else init) / segment_reduce(src, segments, op="prod", size=size)


def _mean(xp: Any, src: Array, segments: Array, size: int, init: Any) -> Array:
    dtype, src = src.dtype, single_or_double(xp, src)
    total = segment_reduce(src, segments, op="sum", size=size)
    ones = xp.astype(xp.ones_like(segments), src.dtype)
    count = segment_reduce(ones, segments, op="sum", size=size)
    count = xp.where(count == 0, xp.ones_like(count), count)
    mean = xp.astype(total / xp.reshape(count, (size, *[1] * (len(src.shape) - 1))), dtype)
    return mean if init is None else init + mean


def _extreme(op: str) -> Any:
    def reduce(xp: Any, src: Array, segments: Array, size: int, init: Any) -> Array:
        top = stop_gradient(segment_reduce(stop_gradient(src), segments, op=op, size=size))
        start = None
        if init is not None:
            start = xp.zeros_like(top) + init
            beaten = stop_gradient(start) > top if op == "max" else stop_gradient(start) < top
            top = xp.where(beaten, stop_gradient(start), top)
        if "float" not in str(src.dtype):
            return top
        # Differences that are 0 carry the gradient, to all that are equal.
        y = top + segment_reduce(_rise(xp, src, xp.take(top, segments, axis=0)), segments, op="sum", size=size)
        return y if start is None else y + _rise(xp, start, top)

    return reduce


def _rise(xp: Any, x: Array, top: Array) -> Array:
    """Return 0, with the gradient of x where x is the top."""
    finite = xp.logical_and(x == top, xp.isfinite(x))
    x = xp.where(finite, x, xp.zeros_like(x))
    return x - stop_gradient(x)


_OPERATORS: dict[str, Any] = {
    "+": _sum,
    "-": _minus,
    "*": _times,
    "/": _over,
    "max": _extreme("max"),
    "min": _extreme("min"),
    "mean": _mean,
}


def _filled(sizes: tuple[int | None, ...]) -> tuple[int, ...]:
    """Leave a size that a compiled program does not know yet to `reshape`."""
    return tuple([-1 if n is None else n for n in sizes])


def _check_indices(indices: tuple[Array, ...], axes: int) -> None:
    shapes = [tuple(index.shape) for index in indices]
    if not shapes or len(shapes) > axes or len(set(shapes)) > 1:
        raise LayerError(f"expects 1 to {axes} arrays of indices of one shape, got shapes {shapes}")


def _sizes(xp: Any, indices: tuple[Array, ...], size: int | Sequence[int] | None) -> tuple[int, ...]:
    if size is None:
        return tuple([int(xp.max(as_indices(xp, index))) + 1 for index in indices])
    sizes = (size,) if isinstance(size, int) else tuple(size)
    if len(sizes) != len(indices):
        raise LayerError(f"expects a size for each of {len(indices)} arrays of indices, got {sizes}")
    return sizes


def _flat(xp: Any, indices: tuple[Array, ...], sizes: tuple[int, ...]) -> Array:
    """Return the places of the indices in C order, in one axis."""
    # Small index types could not hold the product of the sizes.
    flat, *others = [xp.reshape(xp.astype(index, xp.int32), (-1,)) for index in indices]
    for index, n in zip(others, sizes[1:], strict=True):
        flat = flat * n + index
    return flat
