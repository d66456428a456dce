"""Periodic schedules: triangles, sines and cosines."""

from __future__ import annotations

import math
from dataclasses import dataclass

from luxport.backend import Array, namespace
from luxport.schedules._schedule import Number, Schedule, check_numbers, divide_up, interpolate_between

__all__ = ["CosAnneal", "Sin", "SinDecay2", "SinExp", "Triangle", "TriangleDecay2", "TriangleExp"]


@dataclass(frozen=True)
class _Wave(Schedule):
    """A wave between two values."""

    l0: float
    l1: float
    period: int


@check_numbers
@dataclass(frozen=True)
class Triangle(_Wave):
    """A triangle wave between `l0` and `l1`: the smaller at t = 1, the larger half a period later.

    Args:
        l0: one of the two values between which the wave moves
        l1: the other value
        period: after how many steps it starts again

    Source: ParameterSchedulers.jl ``Triangle``

    >>> [Triangle(l0=0.0, l1=1.0, period=4)(t) for t in (1, 2, 3, 4, 5)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def at(self, t: Array) -> Array:
        """Rise and fall."""
        return interpolate_between(self.l0, self.l1, _compute_triangle(t, self.period))


@check_numbers
@dataclass(frozen=True)
class TriangleDecay2(_Wave):
    """`Triangle` with a height that is halved after each period.

    Args:
        l0: one of the two values between which the wave moves
        l1: the other value
        period: after how many steps it starts again

    Source: ParameterSchedulers.jl ``TriangleDecay2``
    """

    def at(self, t: Array) -> Array:
        """Rise and fall, less each time."""
        return interpolate_between(self.l0, self.l1, _compute_triangle(t, self.period) * _halve(t, self.period))


@check_numbers
@dataclass(frozen=True)
class TriangleExp(_Wave):
    """`Triangle` with its height multiplied by ``decay^(t - 1)``.

    Args:
        l0: one of the two values between which the wave moves
        l1: the other value
        period: after how many steps it starts again
        decay: the factor of the height after each step

    Source: ParameterSchedulers.jl ``TriangleExp``
    """

    decay: float

    def at(self, t: Array) -> Array:
        """Rise and fall, less with each step."""
        return interpolate_between(self.l0, self.l1, _compute_triangle(t, self.period) * self.decay ** (t - 1.0))


@check_numbers
@dataclass(frozen=True)
class Sin(_Wave):
    """A wave ``|sin(π (t - 1) / period)|`` between `l0` and `l1`: the smaller at t = 1.

    Args:
        l0: one of the two values between which the wave moves
        l1: the other value
        period: after how many steps it starts again

    Source: ParameterSchedulers.jl ``Sin``
    """

    def at(self, t: Array) -> Array:
        """Rise and fall."""
        return interpolate_between(self.l0, self.l1, _compute_sine(t, self.period))


@check_numbers
@dataclass(frozen=True)
class SinDecay2(_Wave):
    """`Sin` with a height that is halved after each period.

    Args:
        l0: one of the two values between which the wave moves
        l1: the other value
        period: after how many steps it starts again

    Source: ParameterSchedulers.jl ``SinDecay2``
    """

    def at(self, t: Array) -> Array:
        """Rise and fall, less each time."""
        return interpolate_between(self.l0, self.l1, _compute_sine(t, self.period) * _halve(t, self.period))


@check_numbers
@dataclass(frozen=True)
class SinExp(_Wave):
    """`Sin` with its height multiplied by ``decay^(t - 1)``.

    Args:
        l0: one of the two values between which the wave moves
        l1: the other value
        period: after how many steps it starts again
        decay: the factor of the height after each step

    Source: ParameterSchedulers.jl ``SinExp``
    """

    decay: float

    def at(self, t: Array) -> Array:
        """Rise and fall, less with each step."""
        return interpolate_between(self.l0, self.l1, _compute_sine(t, self.period) * self.decay ** (t - 1.0))


@check_numbers
@dataclass(frozen=True)
class CosAnneal(Schedule):
    """Half a cosine wave from the larger of `l0` and `l1` at t = 1 down to the smaller, in `period` steps.

    Args:
        l0: one of the two values between which the wave moves
        l1: the other value
        period: how many steps it takes
        restart: whether it then starts again at the larger value, instead of rising along the same curve

    Source: ParameterSchedulers.jl ``CosAnneal``; I. Loshchilov, F. Hutter (2017)
    """

    l0: float
    l1: float
    period: int
    restart: bool = True

    def at(self, t: Array) -> Array:
        """Anneal."""
        xp = namespace(t)
        # Reduced to one period first: the cosine of a large argument would be inexact.
        past = (t - 1.0) % (self.period if self.restart else 2 * self.period)
        return interpolate_between(self.l0, self.l1, (1.0 + xp.cos(past * (math.pi / self.period))) / 2.0)


def _compute_triangle(t: Array, period: Number) -> Array:
    """Return ``2 / π |asin(sin(π (t - 1) / period))|``, computed without these functions."""
    xp = namespace(t)
    past = (t - 1.0) % period
    return xp.minimum(past, period - past) * (2.0 / period)


def _compute_sine(t: Array, period: Number) -> Array:
    return namespace(t).sin((t - 1.0) % period * (math.pi / period))


def _halve(t: Array, period: Number) -> Array:
    return 0.5 ** (divide_up(t, period) - 1.0)
