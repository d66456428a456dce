"""Pooling: one number for each position of a window."""

from __future__ import annotations

import math
from operator import add
from typing import Any

from luxport.backend import Array, namespace
from luxport.backend.arguments import check_call, write_short
from luxport.backend.dtypes import expect_floating, widen_halves
from luxport.backend.option_rules import FLAG, POSITIVE
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation
from luxport.ops.averages import average, take_mean
from luxport.ops.readable_values import may_look
from luxport.ops.scaling import find_divisor
from luxport.ops.shapes import is_number, read_sizes
from luxport.ops.windows import (
    WRITTEN_OUT,
    Pairs,
    PerAxis,
    PerSide,
    Sizes,
    check_room,
    fold_windows,
    pad_spatial,
    write_out,
    write_per_axis,
)

__all__ = [
    "global_lp_pool",
    "global_max_pool",
    "global_mean_pool",
    "lp_pool",
    "lp_pool_nd",
    "max_pool",
    "max_pool_nd",
    "mean_pool",
    "mean_pool_nd",
]


_TAKES = "x (N, C, ...)"
_ORDERED = "x real (N, C, ...)"


def _check_windows(
    x: Array,
    *,
    window: Sizes,
    stride: Sizes,
    padding: Pairs,
    dilation: Sizes,
    count_include_pad: Any = True,
    p: Any = 1,
) -> None:
    check_room(x, window, stride, padding, dilation)
    if not (count_include_pad is True or count_include_pad is False):
        raise LayerError(f"expects count_include_pad as True or False, got {write_short(count_include_pad)}")


def _check_floating_windows(x: Array, **windows: Any) -> None:
    expect_floating(x)
    _check_windows(x, **windows)


@operation(takes=_ORDERED, rules=WRITTEN_OUT, early=False, guard=_check_windows)
def max_pool_nd(x: Array, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes) -> Array:
    """Take maxima as `max_pool` does, with every option given, for each spatial axis.

    Args:
        window: the sizes of the window, one for each spatial axis
        stride: the distance between places, one for each spatial axis
        padding: a pair (low, high) for each spatial axis
        dilation: the distance between elements of the window, one for each spatial axis

    Shapes: x (N, C, *spatial) -> (N, C, *places)
    """
    xp = namespace(x)
    lowest = -math.inf if xp.isdtype(x.dtype, "real floating") else xp.iinfo(x.dtype).min
    return fold_windows(take_larger, pad_spatial(x, padding, lowest), window, stride, dilation)


@check_call(_ORDERED, canonical=max_pool_nd)
def max_pool(
    x: Array, *, window: PerAxis, stride: PerAxis | None = None, padding: PerSide = 0, dilation: PerAxis = 1
) -> Array:
    """Return the largest element in each window; a NaN counts as the largest.

    The gradient goes to the first of equal elements. Outside x there is -inf, or the least integer.

    Args:
        window: the sizes of the window: an int for all spatial axes, or one for each
        stride: the distance between windows: an int for all spatial axes, or one for each; None for the window's sizes
        padding: an int for all sides, or a tuple of an int or a pair (low, high) for each spatial axis
        dilation: the distance between elements of a window: an int for all spatial axes, or one for each

    Shapes: x (N, C, *spatial) -> (N, C, *places), see `count_places`
    Source: NNlib ``maxpool``

    >>> import numpy as np
    >>> max_pool(np.arange(1.0, 6.0)[None, None], window=2, padding=1)
    array([[[1., 3., 5.]]])
    """
    return max_pool_nd(x, **_write_out(x, window, stride, padding, dilation))


@operation(takes=_TAKES, rules=WRITTEN_OUT, early=False, guard=_check_floating_windows)
def mean_pool_nd(
    x: Array, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes, count_include_pad: bool
) -> Array:
    """Take means as `mean_pool` does, with every option given, for each spatial axis.

    Args:
        window: the sizes of the window, one for each spatial axis
        stride: the distance between places, one for each spatial axis
        padding: a pair (low, high) for each spatial axis
        dilation: the distance between elements of the window, one for each spatial axis
        count_include_pad: whether the zeros outside x count in the mean

    Shapes: x (N, C, *spatial) -> (N, C, *places)
    """
    xp = namespace(x)
    wide = widen_halves(xp, x)
    if count_include_pad or not any(map(any, padding)):
        share = 1.0 / math.prod(window)
    else:
        sample = x if x.shape[0] == 0 else x[:1, ...]
        inside = pad_spatial(xp.ones_like(sample[:, :1, ...], dtype=wide.dtype), padding)
        count = fold_windows(add, inside, window, stride, dilation)
        share = 1.0 / xp.where(count == 0, xp.ones_like(count), count)

    def mean(x: Array) -> Array:
        return fold_windows(add, pad_spatial(x, padding), window, stride, dilation) * share

    return xp.astype(average(wide, mean=mean), x.dtype)


@check_call(_TAKES, rules={"count_include_pad": FLAG}, canonical=mean_pool_nd)
def mean_pool(
    x: Array,
    *,
    window: PerAxis,
    stride: PerAxis | None = None,
    padding: PerSide = 0,
    dilation: PerAxis = 1,
    count_include_pad: bool = True,
) -> Array:
    """Return the mean of each window.

    Outside x there are zeros. Without `count_include_pad`, the mean of a window that lies outside x is 0.

    Args:
        window: the sizes of the window: an int for all spatial axes, or one for each
        stride: the distance between windows: an int for all spatial axes, or one for each; None for the window's sizes
        padding: an int for all sides, or a tuple of an int or a pair (low, high) for each spatial axis
        dilation: the distance between elements of a window: an int for all spatial axes, or one for each
        count_include_pad: whether the zeros outside x count in the mean

    Shapes: x (N, C, *spatial) -> (N, C, *places), see `count_places`
    Source: NNlib ``meanpool``

    >>> import numpy as np
    >>> mean_pool(np.arange(1.0, 6.0)[None, None], window=2, padding=1)
    array([[[0.5, 2.5, 4.5]]])
    >>> mean_pool(np.arange(1.0, 6.0)[None, None], window=2, padding=1, count_include_pad=False)
    array([[[1. , 2.5, 4.5]]])
    """
    return mean_pool_nd(x, **_write_out(x, window, stride, padding, dilation), count_include_pad=count_include_pad)


@operation(takes=_TAKES, rules={**WRITTEN_OUT, "p": POSITIVE}, early=False, guard=_check_floating_windows)
def lp_pool_nd(x: Array, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes, p: float) -> Array:
    """Take roots of sums of powers as `lp_pool` does, with every option given, for each spatial axis.

    Args:
        window: the sizes of the window, one for each spatial axis
        stride: the distance between places, one for each spatial axis
        padding: a pair (low, high) for each spatial axis
        dilation: the distance between elements of the window, one for each spatial axis
        p: the exponent, above 0

    Shapes: x (N, C, *spatial) -> (N, C, *places)
    """
    xp = namespace(x)
    wide = widen_halves(xp, x)
    size = choose_power_size(xp, wide, p)
    powers = pad_spatial((wide if size is None else wide / size) ** p, padding)
    y = take_root(fold_windows(add, powers, window, stride, dilation), p)
    return xp.astype(y if size is None else y * size, x.dtype)


@check_call(_TAKES, rules={"p": POSITIVE}, canonical=lp_pool_nd)
def lp_pool(
    x: Array,
    *,
    window: PerAxis,
    stride: PerAxis | None = None,
    padding: PerSide = 0,
    dilation: PerAxis = 1,
    p: float = 2,
) -> Array:
    """Return ``(sum of x^p)^(1 / p)`` for each window, without absolute values.

    Outside x there are zeros. With an odd p, a negative sum gives NaN. Where the sum is 0, the gradient is that of the
    sum itself. If the powers in a channel would overflow or vanish, its numbers are divided by the largest first: then
    in float32 the result for a window of numbers 1e19 times smaller than the largest is 0.

    Args:
        window: the sizes of the window: an int for all spatial axes, or one for each
        stride: the distance between windows: an int for all spatial axes, or one for each; None for the window's sizes
        padding: an int for all sides, or a tuple of an int or a pair (low, high) for each spatial axis
        dilation: the distance between elements of a window: an int for all spatial axes, or one for each
        p: the exponent, above 0

    Shapes: x (N, C, *spatial) -> (N, C, *places), see `count_places`
    Raises: LayerError unless p is positive and finite
    Source: NNlib ``lpnormpool``

    >>> import numpy as np
    >>> lp_pool(np.asarray([[[3.0, 4.0, 6.0, 8.0]]]), window=2)
    array([[[ 5., 10.]]])
    """
    return lp_pool_nd(x, **_write_out(x, window, stride, padding, dilation), p=p)


@operation(takes=_ORDERED)
def global_max_pool(x: Array) -> Array:
    """Return each channel's largest element; the gradient goes to the first of equal elements.

    Shapes: x (N, C, *spatial) -> (N, C, 1, ...)
    Raises: LayerError if a spatial axis is empty
    Source: Flux.jl ``GlobalMaxPool``

    >>> import numpy as np
    >>> global_max_pool(np.asarray([[[3.0, 7.0, 5.0]]]))
    array([[[7.]]])
    """
    xp = namespace(x)
    _check_positions(x)
    shape = read_sizes(x)
    if is_number(shape[1]) and shape[1] == 0:
        return xp.sum(x, axis=tuple(range(2, len(shape))), keepdims=True, dtype=x.dtype)
    flat = xp.reshape(x, (-1, shape[1], math.prod(shape[2:])))
    return xp.reshape(take_largest(flat, axis=2), (-1, shape[1], *[1] * (len(shape) - 2)))


@operation(takes=_TAKES, early=False)
def global_mean_pool(x: Array) -> Array:
    """Return each channel's mean.

    Shapes: x (N, C, *spatial) -> (N, C, 1, ...)
    Raises: LayerError if a spatial axis is empty
    Source: Flux.jl ``GlobalMeanPool``

    >>> import numpy as np
    >>> global_mean_pool(np.asarray([[[3.0, 7.0, 5.0]]]))
    array([[[5.]]])
    """
    xp = namespace(x)
    expect_floating(x)
    _check_positions(x)
    return xp.astype(take_mean(xp, widen_halves(xp, x), tuple(range(2, len(x.shape))), keepdims=True), x.dtype)


@operation(takes=_TAKES, rules={"p": POSITIVE}, early=False)
def global_lp_pool(x: Array, *, p: float = 2) -> Array:
    """Return each channel's ``(sum of x^p)^(1 / p)``, as `lp_pool` with one window.

    Args:
        p: the exponent, above 0

    Shapes: x (N, C, *spatial) -> (N, C, 1, ...)
    Raises: LayerError unless p is positive and finite
    Source: Lux.jl ``GlobalLPPool``

    >>> import numpy as np
    >>> global_lp_pool(np.asarray([[[2.0, 6.0, 9.0]]]))
    array([[[11.]]])
    """
    xp = namespace(x)
    expect_floating(x)
    wide = widen_halves(xp, x)
    size = choose_power_size(xp, wide, p)
    total = xp.sum((wide if size is None else wide / size) ** p, axis=tuple(range(2, len(x.shape))), keepdims=True)
    y = take_root(total, p)
    return xp.astype(y if size is None else y * size, x.dtype)


@operation
def take_largest(x: Array, *, axis: int) -> Array:
    """Return the largest elements along an axis, which is kept; the gradient goes to the first of equal elements."""
    xp = namespace(x)
    # Not `max`, whose gradient is shared by equal elements on some backends.
    return xp.take_along_axis(x, xp.argmax(x, axis=axis, keepdims=True), axis=axis)


def take_larger(first: Array, second: Array) -> Array:
    """Return the larger of two, or NaN if one is; of equal ones the first, which gets the whole gradient."""
    xp = namespace(first)
    is_second = xp.logical_and(xp.logical_not(second <= first), first == first)
    return xp.where(is_second, second, first)


def choose_power_size(xp: Any, x: Array, p: float) -> Array | None:
    """Return what to divide each channel by so that its powers neither overflow nor vanish; None if by 1."""
    if 0 in x.shape or len(x.shape) < 3:
        return None
    size = find_divisor(xp, x, tuple(range(2, len(x.shape))), p)
    return None if may_look(size) and bool(xp.all(size == 1)) else size


def take_root(total: Array, p: float) -> Array:
    """Return ``total^(1 / p)``, with a finite derivative at 0 so that a window of zeros has gradients of 0."""
    xp = namespace(total)
    zero = total == 0
    return xp.where(zero, total, xp.where(zero, xp.ones_like(total), total) ** (1.0 / p))


def _write_out(
    x: Array, window: PerAxis, stride: PerAxis | None, padding: PerSide, dilation: PerAxis
) -> dict[str, Any]:
    rank = len(x.shape) - 2
    window = write_per_axis("window", window, rank)
    return {"window": window, **write_out(rank, window if stride is None else stride, padding, dilation)}


def _check_positions(x: Array) -> None:
    """Expect at least one position in each channel."""
    if 0 in tuple(x.shape)[2:]:
        raise LayerError(f"expects at least one position, got {shape_text(x)}")
