"""Softmax, its logarithm, and logsumexp, along one axis or several."""

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
"""One axis, several, or None for all."""


def _expect_an_axis(x: Array, *, axis: Axes = -1) -> None:
    if axis is not None and not x.shape:
        raise LayerError(f"expects an array with an axis, got {shape_text(x)}")


@operation(rules={"axis": AXES}, early=False, guard=_expect_an_axis)
def softmax(x: Array, *, axis: Axes = -1) -> Array:
    """Return ``exp(x) / sum(exp(x))``: numbers of at least 0 that add up to 1 along the axis.

    Where entries are inf, they have equal shares of the 1, and there is no gradient. If all are -inf, or one is NaN,
    the result is NaN. Along an empty axis the result is empty.

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
    powers = xp.exp(_subtract_largest(xp, widen_halves(xp, x), axis))
    return xp.astype(powers / xp.sum(powers, axis=axis, keepdims=True), x.dtype)


@operation(rules={"axis": AXES}, early=False, guard=_expect_an_axis)
def logsoftmax(x: Array, *, axis: Axes = -1) -> Array:
    """Return ``x - log(sum(exp(x)))``, the logarithm of `softmax`, which is finite even where `softmax` rounds to 0.

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
    lowered = _subtract_largest(xp, widen_halves(xp, x), axis)
    return xp.astype(lowered - xp.log(xp.sum(xp.exp(lowered), axis=axis, keepdims=True)), x.dtype)


@operation(rules={"axis": AXES, "keepdims": FLAG}, early=False)
def logsumexp(x: Array, *, axis: Axes = None, keepdims: bool = False) -> Array:
    """Return ``log(sum(exp(x)))`` without overflow, over all entries unless an axis is given.

    It is inf if an entry is, and -inf if all are or there is none; in these cases there is no gradient.

    Args:
        axis: the axis, or a tuple of axes, to sum over; None for all
        keepdims: whether the axes are kept with size 1

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
    # If the largest entry is infinite, so is the result; the other entries are not given to the exponential.
    origin = xp.where(finite, top, xp.zeros_like(top))
    lowered = xp.where(finite, wide - origin, xp.zeros_like(wide))
    total = xp.log(xp.sum(xp.exp(lowered), axis=axis, keepdims=True))
    total = xp.astype(total + top, x.dtype)
    return total if keepdims else xp.squeeze(total, axis=_list_axes(x, axis))


def halve_logsoftmax(x: Array, *, axis: int) -> Array:
    """Return half of `logsoftmax`, which is finite for all finite x, even if their differences would overflow."""
    xp = namespace(x)
    halves = _subtract_largest(xp, 0.5 * widen_halves(xp, x), axis)
    return xp.astype(halves - 0.5 * xp.log(xp.sum(xp.exp(2.0 * halves), axis=axis, keepdims=True)), x.dtype)


def _find_largest(xp: Any, x: Array, axis: Axes) -> Array:
    """Return the largest entries, keeping the axes; -inf for an empty axis, for which libraries raise errors."""
    if 0 in x.shape and 0 in [x.shape[i] for i in _list_axes(x, axis)]:
        return xp.sum(x, axis=axis, keepdims=True) - math.inf
    return xp.max(x, axis=axis, keepdims=True)


def _subtract_largest(xp: Any, x: Array, axis: Axes) -> Array:
    """Subtract the largest entry, so that no exponential overflows; if that is inf, leave 0 for inf, else -inf."""
    top = stop_gradient(_find_largest(xp, x, axis))
    infinite = top == math.inf
    zero_or_lowest = xp.where(x == math.inf, xp.zeros_like(x), xp.full_like(x, -math.inf))
    origin = xp.where(infinite, xp.zeros_like(top), top)
    return xp.where(infinite, zero_or_lowest, x - origin)


def _list_axes(x: Array, axis: Axes) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(len(x.shape)))
    return axis if isinstance(axis, tuple) else (axis,)
