"""Softmax and its logarithms, along one axis or several."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from luxport.backend import Array, namespace
from luxport.backend.dtypes import require_real_numbers, widen_halves
from luxport.backend.option_rules import AXES, FLAG
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["Axes", "logsoftmax", "logsumexp", "softmax"]

Axes: TypeAlias = "int | tuple[int, ...] | None"
"""One axis, several, or all of them (None)."""


def _expect_an_axis(x: Array, *, axis: Axes = -1) -> None:
    if axis is not None and not x.shape:
        raise LayerError(f"expects an array with an axis, got {shape_text(x)}")


@operation(rules={"axis": AXES}, early=False, guard=_expect_an_axis)
def softmax(x: Array, *, axis: Axes = -1) -> Array:
    """Return ``exp(x) / sum(exp(x))``: numbers of at least 0 that add up to 1 along the axis.

    Entries that are inf share the whole of it, and no gradient flows to where they are; of -inf alone, or of a NaN,
    come NaNs. An axis may be empty; the result is empty, too.

    Args:
        axis: the axis, or a tuple of axes, along which the result adds up to 1; None for all

    Shapes: x (...), real -> like x; integers become float32
    Source: NNlib ``softmax``

    >>> import numpy as np
    >>> print(softmax(np.array([0.0, np.inf, np.inf])))
    [0.  0.5 0.5]
    """
    xp = namespace(x)
    x = require_real_numbers(xp, x, "softmax")
    powers = xp.exp(_take_away(xp, widen_halves(xp, x), axis))
    return xp.astype(powers / xp.sum(powers, axis=axis, keepdims=True), x.dtype)


@operation(rules={"axis": AXES}, early=False, guard=_expect_an_axis)
def logsoftmax(x: Array, *, axis: Axes = -1) -> Array:
    """Return ``x - log(sum(exp(x)))``, the logarithm of `softmax`, also where that is too small for a number.

    Args:
        axis: the axis, or a tuple of axes, as for `softmax`; None for all

    Shapes: x (...), real -> like x; integers become float32
    Source: NNlib ``logsoftmax``

    >>> import numpy as np
    >>> print(logsoftmax(np.array([1.0, 2.0, 3000.0])))
    [-2999. -2998.     0.]
    """
    xp = namespace(x)
    x = require_real_numbers(xp, x, "logsoftmax")
    lowered = _take_away(xp, widen_halves(xp, x), axis)
    return xp.astype(lowered - xp.log(xp.sum(xp.exp(lowered), axis=axis, keepdims=True)), x.dtype)


@operation(rules={"axis": AXES, "keepdims": FLAG}, early=False)
def logsumexp(x: Array, *, axis: Axes = None, keepdims: bool = False) -> Array:
    """Return ``log(sum(exp(x)))`` without overflow, over all entries unless an axis is given.

    It is inf where an entry is, and -inf where all are, or there is none; no gradient flows to either.

    Args:
        axis: the axis, or a tuple of axes, to sum over; None for all
        keepdims: whether they stay, of size 1

    Shapes: x (...), real -> x without the axes, or with 1 for each if `keepdims`; integers become float32
    Source: NNlib ``logsumexp``, which keeps the axes

    >>> import numpy as np
    >>> print(logsumexp(np.array([1000.0, 1000.0])))
    1000.6931471805599
    """
    xp = namespace(x)
    x = require_real_numbers(xp, x, "logsumexp")
    wide = widen_halves(xp, x)
    top = stop_gradient(_find_largest(xp, wide, axis))
    finite = xp.isfinite(top)
    # An infinite top decides alone; what stands beside it is kept from the exponential.
    origin = xp.where(finite, top, xp.zeros_like(top))
    lowered = xp.where(finite, wide - origin, xp.zeros_like(wide))
    total = xp.log(xp.sum(xp.exp(lowered), axis=axis, keepdims=True))
    total = xp.astype(total + top, x.dtype)
    return total if keepdims else xp.squeeze(total, axis=_list_axes(x, axis))


def halve_logsoftmax(x: Array, *, axis: int) -> Array:
    """Return half of `logsoftmax`, which of finite numbers is finite: they may be farther apart than the largest is."""
    xp = namespace(x)
    halves = _take_away(xp, 0.5 * widen_halves(xp, x), axis)
    return xp.astype(halves - 0.5 * xp.log(xp.sum(xp.exp(2.0 * halves), axis=axis, keepdims=True)), x.dtype)


def _find_largest(xp: Any, x: Array, axis: Axes) -> Array:
    """Return the largest entries, with 1 for each axis; of nothing it is -inf, where libraries raise."""
    if 0 in x.shape and 0 in [x.shape[i] for i in _list_axes(x, axis)]:
        return xp.sum(x, axis=axis, keepdims=True) - math.inf
    return xp.max(x, axis=axis, keepdims=True)


def _take_away(xp: Any, x: Array, axis: Axes) -> Array:
    """Take the largest entry away, so that no exponential overflows; an infinite one leaves 0 and -inf behind."""
    top = stop_gradient(_find_largest(xp, x, axis))
    infinite = top == math.inf
    beside_infinity = xp.where(x == math.inf, xp.zeros_like(x), xp.full_like(x, -math.inf))
    origin = xp.where(infinite, xp.zeros_like(top), top)
    return xp.where(infinite, beside_infinity, x - origin)


def _list_axes(x: Array, axis: Axes) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(len(x.shape)))
    return axis if isinstance(axis, tuple) else (axis,)
