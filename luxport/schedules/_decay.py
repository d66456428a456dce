"""Schedules that fall: `Step`, `Exp`, `Poly` and `Inv`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from luxport.backend import Array, namespace
from luxport.schedules._schedule import Schedule, check_numbers, divide_up, end_at, keep_tuple

__all__ = ["Exp", "Inv", "Poly", "Step"]


@check_numbers
@dataclass(frozen=True)
class Step(Schedule):
    """``start decay^k`` after k complete phases.

    Args:
        start: the value at t = 1
        decay: the factor after each phase
        step_sizes: the number of steps of a phase, or a tuple with that of each phase; then the value is constant

    Source: ParameterSchedulers.jl ``Step``

    >>> [Step(start=1.0, decay=0.5, step_sizes=(2, 1))(t) for t in (1, 2, 3, 4, 5)]
    [1.0, 1.0, 0.5, 0.25, 0.25]
    """

    start: float
    decay: float
    step_sizes: int | tuple[int, ...]

    def __post_init__(self) -> None:
        keep_tuple(self, "step_sizes")

    def at(self, t: Array) -> Array:
        """Count the complete phases."""
        xp = namespace(t)
        if isinstance(self.step_sizes, tuple):
            passed = xp.zeros_like(t)
            for end in itertools.accumulate(self.step_sizes):
                passed = passed + xp.astype(t > end, t.dtype)
        else:
            passed = xp.maximum(divide_up(t, self.step_sizes) - 1.0, xp.zeros_like(t))
        return self.start * self.decay**passed


@check_numbers
@dataclass(frozen=True)
class Exp(Schedule):
    """``start decay^(t - 1)``.

    Args:
        start: the value at t = 1
        decay: the factor after each step

    Source: ParameterSchedulers.jl ``Exp``
    """

    start: float
    decay: float

    def at(self, t: Array) -> Array:
        """Decay exponentially."""
        return self.start * self.decay ** (t - 1.0)


@check_numbers
@dataclass(frozen=True)
class Poly(Schedule):
    """``start (1 - (t - 1) / max_iter)^degree``.

    Args:
        start: the value at t = 1
        degree: the power
        max_iter: the last step; after it there is no value

    Source: ParameterSchedulers.jl ``Poly``, as in its code; its documentation divides by the power

    >>> list(Poly(start=1.0, degree=2, max_iter=4))
    [1.0, 0.5625, 0.25, 0.0625]
    """

    start: float
    degree: int
    max_iter: int

    def at(self, t: Array) -> Array:
        """Decay as a power."""
        return end_at(t, self.max_iter, self.start * (1.0 - (t - 1.0) / self.max_iter) ** self.degree)

    def __len__(self) -> int:
        return self.max_iter


@check_numbers
@dataclass(frozen=True)
class Inv(Schedule):
    """``start / (1 + (t - 1) decay)^degree``.

    Args:
        start: the value at t = 1
        decay: how fast the value falls, see above
        degree: the power

    Source: ParameterSchedulers.jl ``Inv``
    """

    start: float
    decay: float
    degree: int

    def at(self, t: Array) -> Array:
        """Decay as an inverse power."""
        return self.start / (1.0 + (t - 1.0) * self.decay) ** self.degree
