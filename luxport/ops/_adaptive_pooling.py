"""Pooling to a given size, with windows of even or of variable length."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

from luxport.backend import Array, find_array_device, namespace
from luxport.backend.dtypes import expect_floating, find_bool_dtype, run_wide
from luxport.backend.memory import check_growth
from luxport.backend.option_rules import FLAG, POSITIVE, SPATIAL_SIZES, convert_scalars
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation
from luxport.ops._pooling import (
    choose_power_size,
    lp_pool_nd,
    max_pool_nd,
    mean_pool_nd,
    take_larger,
    take_largest,
    take_root,
)
from luxport.ops.averages import average, take_mean
from luxport.ops.shapes import are_fixed, read_sizes
from luxport.ops.windows import Sizes, align_with_axis

__all__ = ["adaptive_lp_pool", "adaptive_max_pool", "adaptive_mean_pool"]


def _check_elements(x: Array, *, output_size: Sizes, **options: Any) -> None:
    if 0 in tuple(x.shape)[2:]:
        raise LayerError(f"expects at least one element along each spatial axis, got {shape_text(x)}")


_RULES = {"output_size": SPATIAL_SIZES, "variable_windows": FLAG}


@operation(takes="x real (N, C, ...)", rules=_RULES, check=_check_elements)
def adaptive_max_pool(x: Array, *, output_size: Sizes, variable_windows: bool = False) -> Array:
    """Return the largest element of each of `output_size` windows; the gradient goes to the first of equal elements.

    For n elements and o windows, all windows have ``n - (o - 1) s`` elements and are ``s = n // o`` apart. Variable
    windows are those of PyTorch: window i goes from element ``floor(i n / o)`` to below ``ceil((i + 1) n / o)``.

    Args:
        output_size: the number of windows along each spatial axis: (7, 7) for images
        variable_windows: whether windows may differ in size, as in PyTorch

    Shapes: x (N, C, *spatial) -> (N, C, *output_size)
    Source: Lux.jl ``AdaptiveMaxPool``; variable windows as PyTorch's ``adaptive_max_pool2d``

    >>> import numpy as np
    >>> adaptive_max_pool(np.asarray([[[5.0, 1.0, 2.0, 4.0, 3.0]]]), output_size=(3,), variable_windows=True)
    array([[[5., 4., 4.]]])
    """
    if not are_fixed(x):
        return _pool_slices(x, output_size, variable_windows, take_largest)
    if not variable_windows:
        return max_pool_nd(x, **find_even_windows(x, output_size))
    return _pool_axes(x, output_size, lambda x, axis, windows: reduce(take_larger, _list_entries(x, axis, windows)))


@operation(takes="x (N, C, ...)", rules=_RULES, check=_check_elements)
@run_wide
def adaptive_mean_pool(x: Array, *, output_size: Sizes, variable_windows: bool = False) -> Array:
    """Return the mean of each of `output_size` windows, which are those of `adaptive_max_pool`.

    Args:
        output_size: the number of windows along each spatial axis: (7, 7) for images
        variable_windows: whether windows may differ in size, as in PyTorch

    Shapes: x (N, C, *spatial) -> (N, C, *output_size)
    Source: Lux.jl ``AdaptiveMeanPool``; variable windows as PyTorch's ``adaptive_avg_pool2d``

    >>> import numpy as np
    >>> adaptive_mean_pool(np.asarray([[[5.0, 1.0, 2.0, 4.0, 3.0]]]), output_size=(3,), variable_windows=True)
    array([[[3.        , 2.33333333, 3.5       ]]])
    """
    expect_floating(x)
    if not are_fixed(x):
        return _pool_slices(
            x, output_size, variable_windows, lambda x, axis: take_mean(namespace(x), x, axis, keepdims=True)
        )
    if not variable_windows:
        return mean_pool_nd(x, **find_even_windows(x, output_size), count_include_pad=True)

    def mean(x: Array, axis: int, windows: Any) -> Array:
        lengths = [stop - start for start, stop in windows]
        shares = align_with_axis(x, axis, [1.0 / n for n in lengths], x.dtype)
        return average(x, mean=lambda x: _add_up(x, axis, windows) * shares)

    return _pool_axes(x, output_size, mean)


@operation(takes="x (N, C, ...)", rules={**_RULES, "p": POSITIVE}, check=_check_elements)
@run_wide
def adaptive_lp_pool(x: Array, *, output_size: Sizes, variable_windows: bool = False, p: float = 2) -> Array:
    """Return ``(sum of x^p)^(1 / p)`` of each of `output_size` windows, which are those of `adaptive_max_pool`.

    Args:
        output_size: the number of windows along each spatial axis: (7, 7) for images
        variable_windows: whether windows may differ in size, as in PyTorch
        p: the exponent, above 0

    Shapes: x (N, C, *spatial) -> (N, C, *output_size)
    Source: Lux.jl ``AdaptiveLPPool``; windows as PyTorch's ``adaptive_avg_pool2d``

    >>> import numpy as np
    >>> adaptive_lp_pool(np.asarray([[[3.0, 4.0, 6.0, 8.0]]]), output_size=(2,))
    array([[[ 5., 10.]]])
    """
    expect_floating(x)
    xp = namespace(x)
    size = choose_power_size(xp, x, p)
    if size is not None:
        return size * _pool_powers(x / size, output_size, variable_windows, p)
    return _pool_powers(x, output_size, variable_windows, p)


def _pool_powers(x: Array, output_size: Sizes, variable_windows: bool, p: float) -> Array:
    if not are_fixed(x):
        return take_root(
            _pool_slices(
                x**p, output_size, variable_windows, lambda x, axis: namespace(x).sum(x, axis=axis, keepdims=True)
            ),
            p,
        )
    if not variable_windows:
        return lp_pool_nd(x, **find_even_windows(x, output_size), p=p)
    return take_root(_pool_axes(x**p, output_size, _add_up), p)


Windows = list[tuple[int, int]]


def find_even_windows(x: Array, output_size: Sizes) -> dict[str, Any]:
    """Return the options of the pooling, with windows of one size, that has this output size.

    Raises: LayerError if x has fewer elements than that
    """
    sizes, output_size = tuple(x.shape)[2:], convert_scalars(output_size)
    if any([n < places for n, places in zip(sizes, output_size, strict=True)]):
        raise LayerError(f"expects at least {output_size} along its spatial axes, got {shape_text(x)}")
    stride = tuple([n // places for n, places in zip(sizes, output_size, strict=True)])
    window = tuple([n - (places - 1) * s for n, places, s in zip(sizes, output_size, stride, strict=True)])
    return {"window": window, "stride": stride, "padding": ((0, 0),) * len(stride), "dilation": (1,) * len(stride)}


def _pool_slices(x: Array, output_size: Sizes, variable: bool, pool: Callable[..., Array]) -> Array:
    """Pool each window as a slice, whose size only the running program may know; axes in the order of `_pool_axes`."""
    xp = namespace(x)
    for axis in reversed(range(2, len(output_size) + 2)):
        n, places, before = read_sizes(x)[axis], output_size[axis - 2], (slice(None),) * axis
        check_growth(axis, x.shape[axis], places)
        if variable:
            windows = [slice(i * n // places, ((i + 1) * n + places - 1) // places) for i in range(places)]
        else:
            step = n // places
            windows = [slice(i * step, i * step + (n - (places - 1) * step)) for i in range(places)]
        x = xp.concat([pool(x[(*before, window, ...)], axis=axis) for window in windows], axis=axis)
    return x


def _pool_axes(x: Array, output_size: Sizes, pool: Callable[[Array, int, Windows], Array]) -> Array:
    """Pool one axis after the other, the last first: then the first of equal elements is the first in C order."""
    for axis in reversed(range(2, len(output_size) + 2)):
        n, places = x.shape[axis], output_size[axis - 2]
        check_growth(axis, n, places)
        x = pool(x, axis, [(i * n // places, -(-(i + 1) * n // places)) for i in range(places)])
    return x


def _list_entries(x: Array, axis: int, windows: Windows) -> list[Array]:
    """Return the first entries of all windows, their second entries, and so on; short windows repeat their last."""
    xp = namespace(x)
    longest = max(stop - start for start, stop in windows)
    rows = [[min(start + i, stop - 1) for start, stop in windows] for i in range(longest)]
    return [xp.take(x, xp.asarray(row, dtype=xp.int32, device=find_array_device(x)), axis=axis) for row in rows]


def _add_up(x: Array, axis: int, windows: Windows) -> Array:
    xp = namespace(x)

    def keep(entry: int, values: Array) -> Array:
        there = [entry < stop - start for start, stop in windows]
        if all(there):
            return values
        # Not a product with 0: infinity times 0 is NaN.
        return xp.where(align_with_axis(x, axis, there, find_bool_dtype(xp)), values, xp.zeros_like(values))

    return reduce(add, [keep(i, values) for i, values in enumerate(_list_entries(x, axis, windows))])
