"""Schedules made of schedules."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

from luxport.backend import Array, namespace
from luxport.call_arguments import explain_call_errors
from luxport.schedules._schedule import Schedule, check_numbers, divide_up, end_at, find_value_at, keep_tuple
from luxport.schedules._waves import CosAnneal
from luxport.text import show

__all__ = ["ComposedSchedule", "Constant", "Interpolator", "Loop", "OneCycle", "Sequence", "Shifted", "Shortened"]


@check_numbers
@dataclass(frozen=True)
class Constant(Schedule):
    """``value`` at every step.

    Args:
        value: the value

    Source: ParameterSchedulers.jl ``Constant``
    """

    value: float

    def at(self, t: Array) -> Array:
        """Return the value."""
        return namespace(t).zeros_like(t) + self.value


@check_numbers
@dataclass(frozen=True)
class Shortened(Schedule):
    """A schedule that ends after some steps: beyond them it has no value.

    Args:
        schedule: a schedule, or any function of t
        nsteps: the number of steps

    Source: ParameterSchedulers.jl ``Shortened``
    """

    schedule: Callable[[Any], Any]
    nsteps: int

    def at(self, t: Array) -> Array:
        """Return the schedule's value, NaN after the end."""
        return end_at(t, self.nsteps, find_value_at(self.schedule, t))

    def __len__(self) -> int:
        return self.nsteps


@check_numbers
@dataclass(frozen=True)
class Shifted(Schedule):
    """A schedule that starts with the value at a later step of another one.

    Args:
        schedule: a schedule, or any function of t
        offset: the t whose value comes first

    Source: ParameterSchedulers.jl ``Shifted``
    """

    schedule: Callable[[Any], Any]
    offset: int

    def at(self, t: Array) -> Array:
        """Return the schedule's value at a later step."""
        return find_value_at(self.schedule, t - 1.0 + self.offset)


@check_numbers
@dataclass(frozen=True)
class Sequence(Schedule):
    """Schedules (or numbers) one after the other, each counting steps from 1; the last one has no end.

    Args:
        schedules: schedules, functions of t or numbers, in order
        step_sizes: how many steps each of them is used for

    Raises: ValueError if there are not as many schedules as sizes
    Source: ParameterSchedulers.jl ``Sequence``

    >>> from luxport.schedules import Triangle
    >>> warm_up = Sequence((Triangle(0.0, 1.0, 8), 1.0), (4, 100))
    >>> [warm_up(t) for t in (1, 2, 3, 4, 5, 6)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """

    schedules: tuple[Callable[[Any], Any] | float, ...]
    step_sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        keep_tuple(self, "schedules")
        keep_tuple(self, "step_sizes")
        if len(self.schedules) != len(self.step_sizes) or not self.schedules:
            raise ValueError(
                f"Sequence expects a size for each schedule, got {len(self.schedules)} and {len(self.step_sizes)}"
            )

    def at(self, t: Array) -> Array:
        """Return the value of the current schedule."""
        xp = namespace(t)
        ends = list(itertools.accumulate(self.step_sizes))
        value = find_value_at(self.schedules[0], t)
        for schedule, start in zip(self.schedules[1:], ends[:-1], strict=True):
            begun = t > start
            # Before it begins its first value is computed, since at 0 and below there may be none.
            local = xp.where(begun, t - start, xp.ones_like(t))
            value = xp.where(begun, find_value_at(schedule, local), value)
        return value


@check_numbers
@dataclass(frozen=True)
class Loop(Schedule):
    """A schedule that is repeated periodically.

    Args:
        schedule: a schedule, or any function of t
        period: after how many steps it starts again

    Source: ParameterSchedulers.jl ``Loop``
    """

    schedule: Callable[[Any], Any]
    period: int

    def at(self, t: Array) -> Array:
        """Return the schedule's value at the position in the period."""
        return find_value_at(self.schedule, (t - 1.0) % self.period + 1.0)


@check_numbers
@dataclass(frozen=True)
class Interpolator(Schedule):
    """A schedule at ``t / rate``: epochs for a count of batches, or real time.

    Args:
        schedule: a schedule, or any function of t
        rate: how many steps are one step of the schedule
        ceil: whether ``t / rate`` is rounded up

    Source: ParameterSchedulers.jl ``Interpolator``

    >>> from luxport.schedules import Exp
    >>> [Interpolator(Exp(start=1.0, decay=0.5), rate=2)(t) for t in (1, 2, 3, 4)]
    [1.0, 1.0, 0.5, 0.5]
    """

    schedule: Callable[[Any], Any]
    rate: float
    ceil: bool = True

    def at(self, t: Array) -> Array:
        """Return the schedule's value at ``t / rate``."""
        return find_value_at(self.schedule, divide_up(t, self.rate) if self.ceil else t / self.rate)


@check_numbers
@dataclass(frozen=True)
class ComposedSchedule(Schedule):
    """A schedule whose arguments are schedules (or numbers) themselves.

    The value at t is that of ``compose(schedule, arguments)``, where the arguments are those at t.

    Args:
        schedule: a schedule, whose class is built with other arguments at each step
        parameters: schedules or numbers, one for each argument of that class
        compose: a function that returns the schedule for a step, see above; None to build one of the same class

    Source: ParameterSchedulers.jl ``ComposedSchedule``

    >>> from luxport.schedules import Exp, Triangle
    >>> fading = ComposedSchedule(Triangle(0.0, 1.0, 4), (0.0, Exp(start=1.0, decay=0.5), 4))
    >>> [fading(t) for t in (1, 2, 3, 4)]
    [0.0, 0.25, 0.25, 0.0625]
    """

    schedule: Any
    parameters: tuple[Callable[[Any], Any] | float, ...]
    compose: Callable[[Any, tuple[Any, ...]], Any] | None = None

    def __post_init__(self) -> None:
        keep_tuple(self, "parameters")

    def at(self, t: Array) -> Array:
        """Build the schedule for this step, and return its value."""
        values = tuple([find_value_at(parameter, t) for parameter in self.parameters])
        made = type(self.schedule)(*values) if self.compose is None else self.compose(self.schedule, values)
        return find_value_at(made, t)


@explain_call_errors
def OneCycle(
    nsteps: int,
    maxval: float,
    *,
    startval: float | None = None,
    endval: float | None = None,
    percent_start: float = 0.25,
) -> Sequence:
    """Rise along a cosine from `startval` to `maxval` in the first part of the steps, and fall to `endval` in the rest.

    Args:
        nsteps: how many steps there are; after them there is no value
        maxval: the highest value
        startval: the value at t = 1; None for ``maxval / 25``
        endval: the value that the schedule falls to; None for ``maxval / 1e5``
        percent_start: the share of the steps in which it rises, between 0 and 1

    Raises: ValueError if `percent_start` is not between 0 and 1, or leaves no step to rise or to fall in
    Source: ParameterSchedulers.jl ``OneCycle``; L. N. Smith, N. Topin (2019)

    >>> cycle = OneCycle(8, 1.0)
    >>> [round(cycle(t), 3) for t in (1, 2, 3, 8)]
    [0.04, 0.52, 1.0, 0.067]
    """
    if not isinstance(nsteps, Real) or not isinstance(maxval, Real) or not abs(nsteps) < 1e15:
        raise TypeError(f"OneCycle expects a number of steps and the largest value, got {show((nsteps, maxval))}")
    if not 0 < percent_start < 1:
        raise ValueError(f"OneCycle expects a part between 0 and 1 to rise in, got percent_start = {percent_start}")
    startval = maxval / 25 if startval is None else startval
    endval = maxval / 1e5 if endval is None else endval
    up = math.ceil(nsteps * percent_start)
    down = nsteps - up
    if up < 1 or down <= 0:
        raise ValueError(
            f"OneCycle expects steps to rise and steps to fall in, got nsteps = {show(nsteps)} and "
            f"percent_start = {percent_start}"
        )
    return Sequence(
        (
            Shifted(CosAnneal(maxval, startval, up, restart=False), up + 1),
            Shortened(CosAnneal(maxval, endval, down, restart=False), down),
        ),
        (up, down),
    )
