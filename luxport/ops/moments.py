"""Mean and variance of numbers of any size: squares that would overflow or vanish are those of scaled numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from luxport.backend import Array
from luxport.backend.dtypes import is_double
from luxport.ops.looking import may_look, reliance
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["Moments", "Reductions", "along", "are_usual", "least_epsilon", "moments", "usual_bound", "usual_variance"]


class Reductions(NamedTuple):
    """How to reduce an array to what broadcasts with it: to means, to the largest entries, to any entry."""

    mean: Callable[[Array], Array]
    largest: Callable[[Array], Array]
    first: Callable[[Array], Array]


class Moments(NamedTuple):
    """x without its mean, and the variance; both times a power of 2, and the variance times its square.

    `epsilon` is what is to be added to the variance, as scaled; `unit` is the power of 2, or None for 1.
    """

    centered: Array
    var: Array
    mean: Array
    epsilon: Any
    unit: Array | None

    @property
    def unscaled(self) -> tuple[Array, Array]:
        """Mean and variance of x itself."""
        if self.unit is None:
            return self.mean, self.var
        return self.mean / self.unit, self.var / self.unit / self.unit


def along(xp: Any, axes: int | tuple[int, ...] | None) -> Reductions:
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


def moments(xp: Any, x: Array, over: Reductions, epsilon: float, *, center: bool = True) -> Moments:
    """Return x without its mean (with it, if not `center`), and the mean of its squares.

    Where squares may overflow, or vanish beside epsilon, x is multiplied by a power of 2 first, which is exact: the
    quotient of x and its deviation stays. Numbers of usual size are as they are, to the bit. A compiled program,
    which cannot look, always asks for the largest number, unless it may rely on usual ones.
    """
    epsilon = least_epsilon(xp, x, epsilon)
    if 0 in x.shape:
        return _plain(x, over, epsilon, center)
    if may_look(x):
        found = _plain(x, over, epsilon, center)
        if usual_variance(xp, found.var, epsilon):
            return found
    elif (rely_on := reliance(x)) is not None:
        found = _plain(x, over, epsilon, center)
        rely_on(are_usual(xp, found.var, epsilon))
        return found
    unit = _unit(xp, x, over, epsilon)
    x = x * unit
    one = unit == 1.0
    # Numbers that are all the same are 0 without the first of them, as their mean may miss them by a rounding.
    shift = xp.where(one, 0.0, stop_gradient(over.first(x))) if center else None
    found = _plain(x if shift is None else x - shift, over, epsilon, center)
    least = xp.full_like(unit, 2.0**-1022 if is_double(x) else _LEAST)
    scaled = xp.maximum((math.sqrt(epsilon) * unit) ** 2, least)
    return found._replace(
        mean=found.mean if shift is None else found.mean + shift,
        epsilon=xp.where(one, epsilon, scaled),
        unit=unit,
    )


def usual_variance(xp: Any, var: Array, epsilon: float) -> bool:
    """Tell whether variances are far from where they, or their inverse cubes in a gradient, overflow or vanish."""
    if 0 in var.shape:
        return True
    var = stop_gradient(var)
    bound = usual_bound(xp, var) ** 2
    if not float(xp.max(var)) < bound:
        return False
    return epsilon * bound >= 1 or float(xp.min(var)) * bound > 1


def are_usual(xp: Any, var: Array, epsilon: float) -> Array:
    """Tell what `usual_variance` does, of variances that only the running program knows."""
    bound = usual_bound(xp, var) ** 2
    usual = xp.all(var < bound)
    return usual if epsilon * bound >= 1 else xp.logical_and(usual, xp.all(var * bound > 1))


def _plain(x: Array, over: Reductions, epsilon: Any, center: bool) -> Moments:
    mean = over.mean(x) if center else x
    centered = x - mean if center else x
    return Moments(centered, over.mean(centered * centered), mean, epsilon, None)


_LEAST = 2.0**-126
"""The smallest normal number of float32."""


def least_epsilon(xp: Any, x: Array, epsilon: float) -> float:
    """Return epsilon, or the least number of float32: a smaller one would be 0 there, and 0 / 0 no number."""
    return _LEAST if 0 < epsilon < _LEAST and not is_double(x) else epsilon


def usual_bound(xp: Any, x: Array) -> float:
    """Return up to where, and from whose inverse on, numbers are of usual size."""
    return 2.0**320 if is_double(x) else 2.0**40


def _unit(xp: Any, x: Array, over: Reductions, epsilon: float) -> Array:
    """Return the powers of 2 that bring the largest of numbers, and the root of epsilon, near 1; 1 where they are."""
    bound = usual_bound(xp, x)
    size = over.largest(xp.abs(stop_gradient(x)))
    one = xp.ones_like(size)
    unit = xp.where(size > bound, one * bound**-1.5, one)
    unit = xp.where(size > bound**2.25, one * bound**-2.75, unit)
    if epsilon * bound**2 >= 1:  # beside which nothing vanishes
        return unit
    size = xp.maximum(size, xp.full_like(size, math.sqrt(epsilon)))
    unit = xp.where(size * bound < 1, one * bound**1.5, unit)
    return xp.where(size * bound**2.25 < 1, one * bound**2.75, unit)
