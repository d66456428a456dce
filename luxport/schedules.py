"""Schedules: hyper-parameters as functions of the step's number, which counts from 1.

A schedule is an immutable value. Called with a number it gives a float; called with an array (the count of steps in
a compiled program) it gives an array, computed by the array's framework. Iterated over, it yields its values at
1, 2, 3, … The schedules, their arguments and their values are those of ParameterSchedulers.jl.

>>> from luxport import optimisers, schedules
>>> eta = schedules.CosAnneal(l0=0.1, l1=0.0, period=100)
>>> eta(1), round(eta(51), 12)
(0.1, 0.05)
>>> rule = optimisers.Scheduler(optimisers.Adam(), eta=eta)  # it counts its steps itself
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from luxport.backend import Array, namespace

__all__ = [
    "ComposedSchedule",
    "Constant",
    "CosAnneal",
    "Exp",
    "Interpolator",
    "Inv",
    "Loop",
    "OneCycle",
    "Poly",
    "Schedule",
    "Sequence",
    "Shifted",
    "Shortened",
    "Sin",
    "SinDecay2",
    "SinExp",
    "Stateful",
    "Step",
    "Triangle",
    "TriangleDecay2",
    "TriangleExp",
]

Number: TypeAlias = Any
"""A float, or an array without axes."""


class Schedule(ABC):
    """What all schedules can do.

    A schedule of one's own has a method `at`, in Array API terms:

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class InverseRoot(Schedule):
    ...     start: float
    ...     def at(self, t):
    ...         return self.start / namespace(t).sqrt(t)
    >>> InverseRoot(0.1)(4)
    0.05
    """

    @abstractmethod
    def at(self, t: Array) -> Array:
        """Return the value at t, a floating array; NaN beyond the end, if there is one."""

    def __call__(self, t: Number) -> Number:
        """Return the value at t: a float for a number, an array for an array.

        Raises: IndexError if t is a number beyond the schedule's end; for an array the value is NaN there
        """
        if isinstance(t, (int, float)):
            value = float(self.at(np.asarray(t, np.float64)))
            if math.isnan(value):
                raise IndexError(f"{self} has no value at step {t}")
            return value
        xp = namespace(t)
        return self.at(t if xp.isdtype(t.dtype, "real floating") else xp.astype(t, xp.float32))

    def __iter__(self) -> Iterator[float]:
        for t in itertools.count(1):
            try:
                yield self(t)
            except IndexError:
                return


@dataclass(frozen=True)
class Constant(Schedule):
    """``value`` at every step.

    Source: ParameterSchedulers.jl ``Constant``
    """

    value: float

    def at(self, t: Array) -> Array:
        """Return the value."""
        return namespace(t).zeros_like(t) + self.value


@dataclass(frozen=True)
class Step(Schedule):
    """``start decay^k`` after k whole phases, each of `step_sizes` steps, or of as many as its entries say in turn.

    Source: ParameterSchedulers.jl ``Step``

    >>> [Step(start=1.0, decay=0.5, step_sizes=(2, 1))(t) for t in (1, 2, 3, 4, 5)]
    [1.0, 1.0, 0.5, 0.25, 0.25]
    """

    start: float
    decay: float
    step_sizes: int | tuple[int, ...]

    def __post_init__(self) -> None:
        _freeze(self, "step_sizes")

    def at(self, t: Array) -> Array:
        """Count the phases."""
        xp = namespace(t)
        if isinstance(self.step_sizes, tuple):
            passed = xp.zeros_like(t)
            for end in itertools.accumulate(self.step_sizes):
                passed = passed + xp.astype(t > end, t.dtype)
        else:
            passed = xp.maximum(xp.ceil(t / self.step_sizes) - 1.0, xp.zeros_like(t))
        return self.start * self.decay**passed


@dataclass(frozen=True)
class Exp(Schedule):
    """``start decay^(t - 1)``.

    Source: ParameterSchedulers.jl ``Exp``
    """

    start: float
    decay: float

    def at(self, t: Array) -> Array:
        """Decay exponentially."""
        return self.start * self.decay ** (t - 1.0)


@dataclass(frozen=True)
class Poly(Schedule):
    """``start (1 - (t - 1) / max_iter)^degree``, up to step `max_iter`.

    Source: ParameterSchedulers.jl ``Poly``, the code: its documentation divides instead

    >>> list(Poly(start=1.0, degree=2, max_iter=4))
    [1.0, 0.5625, 0.25, 0.0625]
    """

    start: float
    degree: int
    max_iter: int

    def at(self, t: Array) -> Array:
        """Decay as a power."""
        return _until(t, self.max_iter, self.start * (1.0 - (t - 1.0) / self.max_iter) ** self.degree)

    def __len__(self) -> int:
        return self.max_iter


@dataclass(frozen=True)
class Inv(Schedule):
    """``start / (1 + (t - 1) decay)^degree``.

    Source: ParameterSchedulers.jl ``Inv``
    """

    start: float
    decay: float
    degree: int

    def at(self, t: Array) -> Array:
        """Decay as an inverse power."""
        return self.start / (1.0 + (t - 1.0) * self.decay) ** self.degree


@dataclass(frozen=True)
class Triangle(Schedule):
    """A triangle wave between `l0` and `l1`: the smaller one at t = 1, the larger one half a period later.

    Source: ParameterSchedulers.jl ``Triangle``

    >>> [Triangle(l0=0.0, l1=1.0, period=4)(t) for t in (1, 2, 3, 4, 5)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    l0: float
    l1: float
    period: int

    def at(self, t: Array) -> Array:
        """Rise and fall."""
        return _between(self.l0, self.l1, _triangle(t, self.period))


@dataclass(frozen=True)
class TriangleDecay2(Schedule):
    """`Triangle`, half as high after each period.

    Source: ParameterSchedulers.jl ``TriangleDecay2``
    """

    l0: float
    l1: float
    period: int

    def at(self, t: Array) -> Array:
        """Rise and fall, less each time."""
        return _between(self.l0, self.l1, _triangle(t, self.period) * _halved(t, self.period))


@dataclass(frozen=True)
class TriangleExp(Schedule):
    """`Triangle` with a height that is multiplied by ``decay^(t - 1)``.

    Source: ParameterSchedulers.jl ``TriangleExp``
    """

    l0: float
    l1: float
    period: int
    decay: float

    def at(self, t: Array) -> Array:
        """Rise and fall, less with each step."""
        return _between(self.l0, self.l1, _triangle(t, self.period) * self.decay ** (t - 1.0))


@dataclass(frozen=True)
class Sin(Schedule):
    """A wave ``|sin(π (t - 1) / period)|`` between `l0` and `l1`: the smaller one at t = 1.

    Source: ParameterSchedulers.jl ``Sin``
    """

    l0: float
    l1: float
    period: int

    def at(self, t: Array) -> Array:
        """Rise and fall."""
        return _between(self.l0, self.l1, _sine(t, self.period))


@dataclass(frozen=True)
class SinDecay2(Schedule):
    """`Sin`, half as high after each period.

    Source: ParameterSchedulers.jl ``SinDecay2``
    """

    l0: float
    l1: float
    period: int

    def at(self, t: Array) -> Array:
        """Rise and fall, less each time."""
        return _between(self.l0, self.l1, _sine(t, self.period) * _halved(t, self.period))


@dataclass(frozen=True)
class SinExp(Schedule):
    """`Sin` with a height that is multiplied by ``decay^(t - 1)``.

    Source: ParameterSchedulers.jl ``SinExp``
    """

    l0: float
    l1: float
    period: int
    decay: float

    def at(self, t: Array) -> Array:
        """Rise and fall, less with each step."""
        return _between(self.l0, self.l1, _sine(t, self.period) * self.decay ** (t - 1.0))


@dataclass(frozen=True)
class CosAnneal(Schedule):
    """Half a cosine from the larger of `l0` and `l1` at t = 1 down to the smaller one, in `period` steps.

    Then again from the start if `restart`, else back up the same way.

    Source: ParameterSchedulers.jl ``CosAnneal``; I. Loshchilov, F. Hutter (2017)
    """

    l0: float
    l1: float
    period: int
    restart: bool = True

    def at(self, t: Array) -> Array:
        """Anneal."""
        xp = namespace(t)
        # A cosine of a large argument would be that of a rounded one.
        past = (t - 1.0) % (self.period if self.restart else 2 * self.period)
        return _between(self.l0, self.l1, (1.0 + xp.cos(past * (math.pi / self.period))) / 2.0)


@dataclass(frozen=True)
class Shortened(Schedule):
    """A schedule that ends after `nsteps` steps.

    Source: ParameterSchedulers.jl ``Shortened``
    """

    schedule: Callable[[Any], Any]
    nsteps: int

    def at(self, t: Array) -> Array:
        """Follow the schedule while there is one."""
        return _until(t, self.nsteps, _value(self.schedule, t))

    def __len__(self) -> int:
        return self.nsteps


@dataclass(frozen=True)
class Shifted(Schedule):
    """A schedule that starts with its value at `offset`.

    Source: ParameterSchedulers.jl ``Shifted``
    """

    schedule: Callable[[Any], Any]
    offset: int

    def at(self, t: Array) -> Array:
        """Look ahead."""
        return _value(self.schedule, t - 1.0 + self.offset)


@dataclass(frozen=True)
class Sequence(Schedule):
    """One schedule (or number) after the other, each for its number of steps and counting from 1; then the last.

    Raises: ValueError if there are not as many schedules as sizes
    Source: ParameterSchedulers.jl ``Sequence``

    >>> warm_up = Sequence((Triangle(0.0, 1.0, 8), 1.0), (4, 100))
    >>> [warm_up(t) for t in (1, 2, 3, 4, 5, 6)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """

    schedules: tuple[Callable[[Any], Any] | float, ...]
    step_sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        _freeze(self, "schedules")
        _freeze(self, "step_sizes")
        if len(self.schedules) != len(self.step_sizes) or not self.schedules:
            raise ValueError(
                f"Sequence expects a size for each schedule, got {len(self.schedules)} and {len(self.step_sizes)}"
            )

    def at(self, t: Array) -> Array:
        """Follow the schedule whose turn it is."""
        xp = namespace(t)
        ends = list(itertools.accumulate(self.step_sizes))
        value = _value(self.schedules[0], t)
        for schedule, start in zip(self.schedules[1:], ends[:-1], strict=True):
            value = xp.where(t > start, _value(schedule, t - start), value)
        return value


@dataclass(frozen=True)
class Loop(Schedule):
    """A schedule (or function) that starts again after every `period` steps.

    Source: ParameterSchedulers.jl ``Loop``
    """

    schedule: Callable[[Any], Any]
    period: int

    def at(self, t: Array) -> Array:
        """Follow the schedule around."""
        return _value(self.schedule, (t - 1.0) % self.period + 1.0)


@dataclass(frozen=True)
class Interpolator(Schedule):
    """A schedule at ``t / rate``, rounded up unless `ceil` is False: epochs for a count of batches, or real time.

    Source: ParameterSchedulers.jl ``Interpolator``

    >>> [Interpolator(Exp(start=1.0, decay=0.5), rate=2)(t) for t in (1, 2, 3, 4)]
    [1.0, 1.0, 0.5, 0.5]
    """

    schedule: Callable[[Any], Any]
    rate: float
    ceil: bool = True

    def at(self, t: Array) -> Array:
        """Follow the schedule at another pace."""
        return _value(self.schedule, namespace(t).ceil(t / self.rate) if self.ceil else t / self.rate)


@dataclass(frozen=True)
class ComposedSchedule(Schedule):
    """A schedule whose arguments are schedules (or numbers): at each t, ``compose(schedule, arguments at t)`` at t.

    Unless told otherwise, that is a schedule of the same kind with those arguments.

    Source: ParameterSchedulers.jl ``ComposedSchedule``

    >>> fading = ComposedSchedule(Triangle(0.0, 1.0, 4), (0.0, Exp(start=1.0, decay=0.5), 4))
    >>> [fading(t) for t in (1, 2, 3, 4)]
    [0.0, 0.25, 0.25, 0.0625]
    """

    schedule: Any
    parameters: tuple[Callable[[Any], Any] | float, ...]
    compose: Callable[[Any, tuple[Any, ...]], Any] | None = None

    def __post_init__(self) -> None:
        _freeze(self, "parameters")

    def at(self, t: Array) -> Array:
        """Make the schedule for this step, and follow it."""
        values = tuple([_value(parameter, t) for parameter in self.parameters])
        made = type(self.schedule)(*values) if self.compose is None else self.compose(self.schedule, values)
        return _value(made, t)


def OneCycle(  # noqa: N802
    nsteps: int,
    maxval: float,
    *,
    startval: float | None = None,
    endval: float | None = None,
    percent_start: float = 0.25,
) -> Sequence:
    """Rise by a cosine from `startval` to `maxval`, in a part of the steps, and fall to `endval` in the rest.

    `startval` is ``maxval / 25`` and `endval` ``maxval / 1e5`` unless given. There is no value after `nsteps` steps.

    Raises: ValueError if `percent_start` is not between 0 and 1
    Source: ParameterSchedulers.jl ``OneCycle``; L. N. Smith, N. Topin (2019)

    >>> cycle = OneCycle(8, 1.0)
    >>> [round(cycle(t), 3) for t in (1, 2, 3, 8)]
    [0.04, 0.52, 1.0, 0.067]
    """
    if not 0 < percent_start < 1:
        raise ValueError(f"OneCycle expects a part between 0 and 1 to rise in, got percent_start = {percent_start}")
    startval = maxval / 25 if startval is None else startval
    endval = maxval / 1e5 if endval is None else endval
    up = math.ceil(nsteps * percent_start)
    down = nsteps - up
    return Sequence(
        (
            Shifted(CosAnneal(maxval, startval, up, restart=False), up + 1),
            Shortened(CosAnneal(maxval, endval, down, restart=False), down),
        ),
        (up, down),
    )


class Stateful:
    """A schedule with a memory of the step's number, for a loop that has none; not for compiled programs.

    `advance` tells from the number whether the next call is to go on; else it gives the same value again.

    Source: ParameterSchedulers.jl ``Stateful``, ``next!`` and ``reset!``

    >>> eta = Stateful(Exp(start=1.0, decay=0.5))
    >>> next(eta), next(eta)
    (1.0, 0.5)
    >>> next(eta.reset())
    1.0
    """

    def __init__(self, schedule: Callable[[Any], Any], *, advance: Callable[[int], bool] = lambda t: True) -> None:
        self.schedule = schedule
        self.advance = advance
        self.t = 1

    def __next__(self) -> Any:
        try:
            value = self.schedule(self.t)
        except IndexError:
            raise StopIteration from None
        if self.advance(self.t):
            self.t += 1
        return value

    def __iter__(self) -> Stateful:
        return self

    def reset(self) -> Stateful:
        """Start at 1 again."""
        self.t = 1
        return self


def _value(schedule: Any, t: Array) -> Array:
    """Return the value of a schedule, a number or any function, at an array."""
    if isinstance(schedule, Schedule):
        return schedule.at(t)
    return schedule(t) if callable(schedule) else namespace(t).zeros_like(t) + schedule


def _until(t: Array, end: int, value: Array) -> Array:
    xp = namespace(t)
    return xp.where(t <= end, value, xp.zeros_like(t) + math.nan)


def _between(l0: Number, l1: Number, part: Array) -> Array:
    """Return the value that is this part of the way from the smaller to the larger."""
    if isinstance(l0, (int, float)) and isinstance(l1, (int, float)):
        return abs(l0 - l1) * part + min(l0, l1)
    xp = namespace(part)
    l0, l1 = xp.zeros_like(part) + l0, xp.zeros_like(part) + l1
    return xp.abs(l0 - l1) * part + xp.minimum(l0, l1)


def _triangle(t: Array, period: Number) -> Array:
    """Return ``2 / π |asin(sin(π (t - 1) / period))|``, which needs neither."""
    xp = namespace(t)
    past = (t - 1.0) % period
    return xp.minimum(past, period - past) * (2.0 / period)


def _sine(t: Array, period: Number) -> Array:
    return namespace(t).sin((t - 1.0) % period * (math.pi / period))


def _halved(t: Array, period: Number) -> Array:
    return 0.5 ** (namespace(t).ceil(t / period) - 1.0)


def _freeze(schedule: Any, name: str) -> None:
    """Let any iterable be given where a tuple is kept."""
    value = getattr(schedule, name)
    if not isinstance(value, (int, tuple)):
        object.__setattr__(schedule, name, tuple(value))
