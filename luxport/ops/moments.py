"""Mean and variance of numbers of any size: squares that would overflow or vanish are those of scaled numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from luxport.backend import Array
from luxport.backend.dtypes import is_double
from luxport.ops.looking import find_reliance, may_look
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
    """How to reduce an array to what broadcasts with it: to means, to the largest entries, to any entry."""

    mean: Callable[[Array], Array]
    largest: Callable[[Array], Array]
    first: Callable[[Array], Array]


class Moments(NamedTuple):
    """x without its mean, the variance and the mean; the first two may be those of x multiplied by a power of 2.

    `unit` is that power, or None for 1; `epsilon` is what to add to the variance, scaled alike. The mean is that of x
    itself.
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
    """Reduce along axes, which stay; None for all of them."""

    def first(x: Array) -> Array:
        rank = len(x.shape)
        named = range(rank) if axes is None else (axes,) if isinstance(axes, int) else axes
        dropped = [axis % rank for axis in named]
        return x[tuple([slice(0, 1) if axis in dropped else slice(None) for axis in range(rank)])]

    return Reductions(
        mean=lambda x: xp.mean(x, axis=axes, keepdims=True),
        largest=lambda x: x if axes == () else xp.max(x, axis=axes, keepdims=True),
        first=first,
    )


def take_moments(xp: Any, x: Array, over: Reductions, epsilon: float, *, center: bool = True) -> Moments:
    """Return x without its mean (with it, if not `center`), and the mean of its squares.

    Where squares may overflow, or vanish beside epsilon, x is multiplied by a power of 2 first, which is exact: the
    quotient of x and its deviation stays. Numbers that are close together and far from 0 are brought near 0 first, as
    their mean may miss them by a rounding, which beside a small deviation is much. Numbers of usual size are as they
    are, to the bit. A compiled program, which cannot look, always asks for the largest number, unless it may rely on
    usual ones.
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
    """Return what to subtract from x and by which power of 2 to multiply the rest, and epsilon, scaled alike.

    None is what to subtract, if not `center`. Where numbers are of usual size that is 0, the power is 1.
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
    """Return the powers of 2 by which squares of numbers of a size are usual, and epsilon scaled alike."""
    unit = _find_unit(xp, size, epsilon)
    least = xp.full_like(unit, 2.0**-1022 if is_double(size) else _LEAST)
    # A compiler may multiply the units first, whose product is infinite where epsilon is 0 and numbers are least.
    scaled = xp.maximum((math.sqrt(epsilon) * unit) ** 2, least) if epsilon > 0 else least
    return unit, xp.where(unit == 1.0, epsilon, scaled)


def is_variance_usual(xp: Any, var: Array, epsilon: float) -> bool:
    """Tell whether variances are far from where they, or their inverse cubes in a gradient, overflow or vanish."""
    if 0 in var.shape:
        return True
    var = stop_gradient(var)
    bound = find_usual_bound(xp, var) ** 2
    if not float(xp.max(var)) < bound:
        return False
    return epsilon * bound >= 1 or float(xp.min(var)) * bound > 1


def are_usual(xp: Any, var: Array, epsilon: float) -> Array:
    """Tell what `is_variance_usual` does, of variances that only the running program knows."""
    bound = find_usual_bound(xp, var) ** 2
    usual = xp.all(var < bound)
    return usual if epsilon * bound >= 1 else xp.logical_and(usual, xp.all(var * bound > 1))


def is_any_far(xp: Any, mean: Array, var: Array, epsilon: float) -> bool:
    """Tell whether a mean is so far from 0 that its rounding is much beside the deviation."""
    mean = stop_gradient(mean)
    largest = float(xp.max(xp.abs(mean)))
    if largest * largest <= FAR * epsilon:
        return False
    return bool(are_far(xp, mean, var, epsilon))


def are_far(xp: Any, mean: Array, var: Array, epsilon: float) -> Array:
    """Tell what `is_any_far` does, of means that only the running program knows."""
    mean, var = stop_gradient(mean), stop_gradient(var)
    return xp.any(mean * mean > FAR * (var + epsilon))


FAR = 2.0**20
"""The square of a mean over the variance from which on the mean is far from 0."""
_CLOSE = 2.0**6


def _normalize_plainly(x: Array, over: Reductions, epsilon: Any, center: bool) -> Moments:
    mean = over.mean(x) if center else x
    centered = x - mean if center else x
    return Moments(centered, over.mean(centered * centered), mean, epsilon, None)


_LEAST = 2.0**-126
"""The smallest normal number of float32."""


def choose_least_epsilon(xp: Any, x: Array, epsilon: float) -> float:
    """Return epsilon, or the least number of float32: a smaller one would be 0 there, and 0 / 0 no number."""
    return _LEAST if 0 < epsilon < _LEAST and not is_double(x) else epsilon


def find_usual_bound(xp: Any, x: Array) -> float:
    """Return up to where, and from whose inverse on, numbers are of usual size."""
    return 2.0**320 if is_double(x) else 2.0**40


def _find_unit(xp: Any, size: Array, epsilon: float) -> Array:
    """Return the powers of 2 that bring numbers of a size, and the root of epsilon, near 1; 1 where they are."""
    bound = find_usual_bound(xp, size)
    one = xp.ones_like(size)
    unit = xp.where(size > bound, one * bound**-1.5, one)
    unit = xp.where(size > bound**2.25, one * bound**-2.75, unit)
    if epsilon * bound**2 >= 1:  # beside which nothing vanishes
        return unit
    size = xp.maximum(size, xp.full_like(size, math.sqrt(epsilon)))
    unit = xp.where(size * bound < 1, one * bound**1.5, unit)
    return xp.where(size * bound**2.25 < 1, one * bound**2.75, unit)
