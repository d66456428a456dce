"""Padding of arrays, by a constant or by elements of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from luxport.backend import Array, namespace
from luxport.backend.arguments import check_call, write_short
from luxport.backend.dtypes import expect_representable, is_floating, widen_halves
from luxport.backend.memory import check_growth
from luxport.backend.option_rules import MOST_ELEMENTS, Rule, is_int, is_number, is_scalar_array
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation
from luxport.ops.windows import pad_axis

__all__ = [
    "pad_circular",
    "pad_constant",
    "pad_edge",
    "pad_reflect",
    "pad_symmetric",
    "pad_zeros",
    "list_sides",
]

PadWidths: TypeAlias = int | tuple[int | tuple[int, int], ...]
"""An int for all sides, or for each axis an int or a pair (low, high)."""

_VALUE = Rule(
    "a real number", lambda value, shape: is_number(value) or is_scalar_array(value) or isinstance(value, bool)
)

Axes: TypeAlias = int | tuple[int, ...] | None


def _expect_held(x: Array, *, value: Any = 0.0, **options: Any) -> None:
    """Expect a number that the dtype of x can hold; frameworks would round it, or wrap it around."""
    if isinstance(value, (bool, int, float)) and value not in (0, 1) and not is_floating(x):
        expect_representable(x, value, "value")


@operation(takes="x (...)", rules={"value": _VALUE}, guard=_expect_held, early=False)
def pad_constant(x: Array, *, padding: PadWidths, value: float = 0.0, axes: Axes = None) -> Array:
    """Pad an array by a constant.

    Args:
        padding: an int for both sides of every axis, or a tuple of an int or a pair (low, high) for each axis
        value: the constant
        axes: the axes to pad; None for all, or with a tuple as padding for as many of the last ones

    Shapes: x (d0, d1, ...) -> (low + d0 + high, ...)
    Raises: LayerError if the padding does not fit the axes, or x holds integers or booleans and cannot hold the value
    Source: NNlib ``pad_constant``

    >>> import numpy as np
    >>> pad_constant(np.ones((1, 2)), padding=((1, 2),), value=5.0)
    array([[5., 1., 1., 5., 5.]])
    """
    for axis, low, high in list_sides(x, padding, axes, first=0):
        x = pad_axis(x, axis, low, high, value)
    return x


@check_call()
def pad_zeros(x: Array, *, padding: PadWidths, axes: Axes = None) -> Array:
    """Pad an array by zeros: `pad_constant` with the value 0.

    Args:
        padding: an int for both sides of every axis, or a tuple of an int or a pair (low, high) for each axis
        axes: the axes to pad; None for all, or with a tuple as padding for as many of the last ones

    Source: NNlib ``pad_zeros``
    """
    return pad_constant(x, padding=padding, axes=axes)


@operation(takes="x (...)", early=False)
def pad_edge(x: Array, *, padding: PadWidths, axes: Axes = None) -> Array:
    """Pad an array by repeating the first and the last element along each axis.

    Args:
        padding: an int for both sides of every axis, or a tuple of an int or a pair (low, high) for each axis
        axes: the axes to pad; None for all but the first two, or with a tuple as padding for as many of the last ones

    Shapes: x (d0, d1, ...) -> (low + d0 + high, ...)
    Raises: LayerError if the padding does not fit the axes
    Source: NNlib ``pad_repeat``

    >>> import numpy as np
    >>> pad_edge(np.asarray([1.0, 2.0, 3.0]), padding=((2, 1),))
    array([1., 1., 1., 2., 3., 3.])
    """

    def choose_slices(n: int | None, low: int, high: int) -> tuple[list[slice], list[slice]]:
        if n == 0 and (low or high):
            raise LayerError(f"expects an element to repeat along each axis, got {shape_text(x)}", culprit="luxport")
        return [slice(0, 1)] * low, [slice(-1, None)] * high

    return _pad(x, padding, axes, choose_slices, mirror=False)


@operation(takes="x (...)", early=False)
def pad_reflect(x: Array, *, padding: PadWidths, axes: Axes = None) -> Array:
    """Pad an array by mirroring it at its first and last element, which are not repeated.

    Args:
        padding: an int for both sides of every axis, or a tuple of an int or a pair (low, high) for each axis
        axes: the axes to pad; None for all but the first two, or with a tuple as padding for as many of the last ones

    Shapes: x (d0, d1, ...) -> (low + d0 + high, ...)
    Raises: LayerError if the padding does not fit the axes, or is not less than a size
    Source: NNlib ``pad_reflect``

    >>> import numpy as np
    >>> pad_reflect(np.asarray([1.0, 2.0, 3.0]), padding=((2, 1),))
    array([3., 2., 1., 2., 3., 2.])
    """

    def choose_slices(n: int | None, low: int, high: int) -> tuple[list[slice], list[slice]]:
        _expect_room("reflect", None if n is None else max(n - 1, 0), low, high)
        return [slice(1, low + 1)], [slice(-1 - high, -1)]

    return _pad(x, padding, axes, choose_slices, mirror=True)


@operation(takes="x (...)", early=False)
def pad_symmetric(x: Array, *, padding: PadWidths, axes: Axes = None) -> Array:
    """Pad an array by mirroring it at its edges, so that the first and the last element are repeated.

    Args:
        padding: an int for both sides of every axis, or a tuple of an int or a pair (low, high) for each axis
        axes: the axes to pad; None for all but the first two, or with a tuple as padding for as many of the last ones

    Shapes: x (d0, d1, ...) -> (low + d0 + high, ...)
    Raises: LayerError if the padding does not fit the axes, or is more than a size
    Source: NNlib ``pad_symmetric``

    >>> import numpy as np
    >>> pad_symmetric(np.asarray([1.0, 2.0, 3.0]), padding=((2, 1),))
    array([2., 1., 1., 2., 3., 3.])
    """

    def choose_slices(n: int | None, low: int, high: int) -> tuple[list[slice], list[slice]]:
        _expect_room("symmetric", n, low, high)
        return [slice(0, low)], [slice(-high, None)]

    return _pad(x, padding, axes, choose_slices, mirror=True)


@operation(takes="x (...)", early=False)
def pad_circular(x: Array, *, padding: PadWidths, axes: Axes = None) -> Array:
    """Pad an array by its elements from the opposite end, as if it were periodic.

    Args:
        padding: an int for both sides of every axis, or a tuple of an int or a pair (low, high) for each axis
        axes: the axes to pad; None for all but the first two, or with a tuple as padding for as many of the last ones

    Shapes: x (d0, d1, ...) -> (low + d0 + high, ...)
    Raises: LayerError if the padding does not fit the axes, or is more than a size
    Source: NNlib ``pad_circular``

    >>> import numpy as np
    >>> pad_circular(np.asarray([1.0, 2.0, 3.0]), padding=((2, 1),))
    array([2., 3., 1., 2., 3., 1.])
    """

    def choose_slices(n: int | None, low: int, high: int) -> tuple[list[slice], list[slice]]:
        _expect_room("circular", n, low, high)
        return [slice(-low, None)], [slice(0, high)]

    return _pad(x, padding, axes, choose_slices, mirror=False)


SliceChoice: TypeAlias = Callable[[int | None, int, int], tuple[list[slice], list[slice]]]
"""From the size of an axis, low and high to the slices that are put below it and above it.

Slices count from the ends of the axis, since its size may be unknown; it is passed for checks alone.
"""


def _pad(x: Array, padding: PadWidths, axes: Axes, choose_slices: SliceChoice, *, mirror: bool) -> Array:
    xp = namespace(x)
    for axis, low, high in list_sides(x, padding, axes, first=2):
        before = (slice(None),) * axis

        def part(where: slice, x: Array = x, axis: int = axis, before: tuple[slice, ...] = before) -> Array:
            values = x[(*before, where, ...)]
            return xp.flip(values, axis=axis) if mirror else values

        below, above = choose_slices(x.shape[axis], low, high)
        if len(below) + len(above) > 4 and (wide := widen_halves(xp, x)) is not x:
            # The gradient of an element that is repeated often is a sum, which is taken in float32.
            widened = _pad(wide, ((low, high),), axis, choose_slices, mirror=mirror)
            x = xp.astype(widened, x.dtype)
            continue
        parts = [part(where) for where in below] if low else []
        parts.append(x)
        parts += [part(where) for where in above] if high else []
        x = xp.concat(parts, axis=axis) if len(parts) > 1 else x
    return x


def _expect_room(mode: str, most: int | None, low: int, high: int) -> None:
    if most is not None and max(low, high) > most:
        raise LayerError(f"expects padding of at most {most} to {mode} it, got ({low}, {high})", culprit="luxport")


def list_sides(x: Array, padding: PadWidths, axes: Axes, *, first: int) -> list[tuple[int, int, int]]:
    """Return (axis, low, high) for each axis to pad; if `axes` is None, an int is for all axes from `first` on."""
    rank = len(x.shape)
    if is_int(axes):
        axes = (axes,)  # type: ignore[assignment]
    given = padding if isinstance(padding, (tuple, list)) else None
    count = rank - first if given is None else len(given)
    chosen: Any = range(max(rank - count, 0), rank) if axes is None else axes
    entries = [padding] * len(chosen) if given is None and _are_axes(chosen, rank) else [*(given or ())]
    pairs: list[Any] = [(entry, entry) if is_int(entry) else entry for entry in entries]
    if not _are_axes(chosen, rank) or len(pairs) != len(chosen) or not all([_is_pair(pair) for pair in pairs]):
        which = "as many last axes" if axes is None else f"the axes {write_short(axes)}"
        raise LayerError(
            f"expects padding as an int of at least 0, or one or a pair (low, high) for each of {which}, that differ, "
            f"got {write_short(padding)} for {rank} axes",
            culprit="luxport",
        )
    for axis, (low, high) in zip(chosen, pairs, strict=True):
        check_growth(axis, x.shape[axis], low + high)
    return [(axis % rank, low, high) for axis, (low, high) in zip(chosen, pairs, strict=True)]


def _are_axes(axes: Any, rank: int) -> bool:
    if isinstance(axes, range):
        return True
    fits = isinstance(axes, (tuple, list)) and all([is_int(axis) and -rank <= axis < rank for axis in axes])
    return fits and len({axis % rank for axis in axes}) == len(axes)


def _is_pair(pair: Any) -> bool:
    return (
        isinstance(pair, (tuple, list))
        and len(pair) == 2
        and all([is_int(n) and 0 <= n <= MOST_ELEMENTS for n in pair])
    )
