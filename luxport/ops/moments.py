"""Mean and variance of numbers of any size: where squares would overflow or vanish, numbers are scaled first."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from luxport.backend import Array
from luxport.backend.dtypes import is_double
from luxport.ops.readable_values import find_reliance, may_look
from luxport.transforms._stop_gradient import stop_gradient

__all__ = [
    "Moments",
    "Reductions",
    "reduce_along",
    "is_any_far",
    "are_far",
    "are_usual",
    "find_scaling",
    "find_unit",
    "choose_least_epsilon",
    "take_moments",
    "find_usual_bound",
    "is_variance_usual",
]


class Reductions(NamedTuple):
    """How to reduce an array, in a shape that broadcasts with it: to means, largest entries, and some entry."""

    mean: Callable[[Array], Array]
    largest: Callable[[Array], Array]
    first: Callable[[Array], Array]


class Moments(NamedTuple):
    """x minus its mean, the variance, and the mean; the first two may be those of x multiplied by a power of 2.

    `unit` is that power, or None for 1; `epsilon`, to be added to the variance, is scaled with it. The mean is not.
    """

    centered: Array
    var: Array
    mean: Array
    epsilon: Any
    unit: Array | None

    @property
    def unscaled(self) -> tuple[Array, Array]:
        """The mean and the variance of x itself."""
        if self.unit is None:
            return self.mean, self.var
        return self.mean, self.var / self.unit / self.unit


def reduce_along(xp: Any, axes: int | tuple[int, ...] | None) -> Reductions:
    """Return the reductions along axes, None for all; the axes are kept."""

    def take_first(x: Array) -> Array:
        rank = len(x.shape)
        named = range(rank) if axes is None else (axes,) if isinstance(axes, int) else axes
        dropped = [axis % rank for axis in named]
        return x[tuple([slice(0, 1) if axis in dropped else slice(None) for axis in range(rank)])]

    return Reductions(
        mean=lambda x: xp.mean(x, axis=axes, keepdims=True),
        largest=lambda x: x if axes == () else xp.max(x, axis=axes, keepdims=True),
        first=take_first,
    )


def take_moments(xp: Any, x: Array, over: Reductions, epsilon: float, *, center: bool = True) -> Moments:
    """Return x minus its mean (or x itself, if not `center`), and the mean of its squares.

    If squares might overflow, or vanish compared with epsilon, x is first multiplied by a power of 2. That is exact,
    and does not change the quotient of x and its standard deviation. Numbers that are close together and far from 0 are
    first shifted toward 0, since rounding their mean may cause an error larger than their deviation. For numbers of
    usual size nothing is changed, not even a bit. A compiled program, which cannot read values, always computes the
    scaling from the largest number, unless it can assume usual sizes.
    """
    epsilon = choose_least_epsilon(xp, x, epsilon)
    if 0 in x.shape:
        return _normalize_plainly(x, over, epsilon, center)
    if may_look(x):
        found = _normalize_plainly(x, over, epsilon, center)
        if is_variance_usual(xp, found.var, epsilon) and not (
            center and is_any_far(xp, found.mean, found.var, epsilon)
        ):
            return found
    elif (rely_on := find_reliance(x)) is not None:
        found = _normalize_plainly(x, over, epsilon, center)
        usual = are_usual(xp, found.var, epsilon)
        rely_on(xp.logical_and(usual, ~are_far(xp, found.mean, found.var, epsilon)) if center else usual)
        return found
    shift, unit, scaled = find_scaling(xp, x, over, epsilon, center)
    found = _normalize_plainly((x if shift is None else x - shift) * unit, over, epsilon, center)
    mean = found.mean / unit
    return found._replace(mean=mean if shift is None else mean + shift, epsilon=scaled, unit=unit)


def find_scaling(
    xp: Any, x: Array, over: Reductions, epsilon: float, center: bool = True
) -> tuple[Array | None, Array, Array]:
    """Return the shift to subtract from x, the power of 2 to multiply the rest by, and epsilon scaled with it.

    The shift is None if not `center`. For numbers of usual size it is 0, and the power is 1.
    """
    shift = None
    if center:
        first = stop_gradient(over.first(x))
        spread, far = over.largest(xp.abs(stop_gradient(x) - first)), xp.abs(first)
        near = spread * _CLOSE < far
        shift, size = xp.where(near, first, xp.zeros_like(first)), xp.where(near, spread, spread + far)
        x = x - shift
    else:
        size = over.largest(xp.abs(stop_gradient(x)))
    return shift, *find_unit(xp, size, epsilon)


def find_unit(xp: Any, size: Array, epsilon: float) -> tuple[Array, Array]:
    """Return the powers of 2 that bring numbers of a size to a usual one, squared, too, and epsilon scaled with it."""
    unit = _find_unit(xp, size, epsilon)
    least = xp.full_like(unit, 2.0**-1022 if is_double(size) else _LEAST)
    # Not epsilon * unit * unit: a compiler may compute unit * unit first, which may be infinite.
    scaled = xp.maximum((math.sqrt(epsilon) * unit) ** 2, least) if epsilon > 0 else least
    return unit, xp.where(unit == 1.0, epsilon, scaled)


def is_variance_usual(xp: Any, var: Array, epsilon: float) -> bool:
    """Tell whether neither variances nor their inverse cubes, which a gradient has, come near overflow or 0."""
    if 0 in var.shape:
        return True
    var = stop_gradient(var)
    bound = find_usual_bound(xp, var) ** 2
    if not float(xp.max(var)) < bound:
        return False
    return epsilon * bound >= 1 or float(xp.min(var)) * bound > 1


def are_usual(xp: Any, var: Array, epsilon: float) -> Array:
    """Return what `is_variance_usual` tells, as an array, for variances that only the running program knows."""
    bound = find_usual_bound(xp, var) ** 2
    usual = xp.all(var < bound)
    return usual if epsilon * bound >= 1 else xp.logical_and(usual, xp.all(var * bound > 1))


def is_any_far(xp: Any, mean: Array, var: Array, epsilon: float) -> bool:
    """Tell whether a mean is so far from 0 that its rounding error is large compared with the deviation."""
    mean = stop_gradient(mean)
    largest = float(xp.max(xp.abs(mean)))
    if largest * largest <= FAR * epsilon:
        return False
    return bool(are_far(xp, mean, var, epsilon))


def are_far(xp: Any, mean: Array, var: Array, epsilon: float) -> Array:
    """Return what `is_any_far` tells, as an array, for means that only the running program knows."""
    mean, var = stop_gradient(mean), stop_gradient(var)
    return xp.any(mean * mean > FAR * (var + epsilon))


FAR = 2.0**20
"""If the squared mean divided by the variance is larger, the mean counts as far from 0."""
_CLOSE = 2.0**6


def _normalize_plainly(x: Array, over: Reductions, epsilon: Any, center: bool) -> Moments:
    mean = over.mean(x) if center else x
    centered = x - mean if center else x
    return Moments(centered, over.mean(centered * centered), mean, epsilon, None)


_LEAST = 2.0**-126
"""The smallest normal number of float32."""


def choose_least_epsilon(xp: Any, x: Array, epsilon: float) -> float:
    """Return epsilon, but at least the smallest float32 number: smaller ones would become 0, and 0 / 0 is NaN."""
    return _LEAST if 0 < epsilon < _LEAST and not is_double(x) else epsilon


def find_usual_bound(xp: Any, x: Array) -> float:
    """Return the bound below which, and above whose inverse, numbers are of usual size."""
    return 2.0**320 if is_double(x) else 2.0**40


def _find_unit(xp: Any, size: Array, epsilon: float) -> Array:
    """Return the powers of 2 that bring numbers of a size, or the root of epsilon, near 1; 1 for a usual size."""
    bound = find_usual_bound(xp, size)
    one = xp.ones_like(size)
    unit = xp.where(size > bound, one * bound**-1.5, one)
    unit = xp.where(size > bound**2.25, one * bound**-2.75, unit)
    if epsilon * bound**2 >= 1:  # small numbers may vanish: epsilon is larger
        return unit
    size = xp.maximum(size, xp.full_like(size, math.sqrt(epsilon)))
    unit = xp.where(size * bound < 1, one * bound**1.5, unit)
    return xp.where(size * bound**2.25 < 1, one * bound**2.75, unit)
