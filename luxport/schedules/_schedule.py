"""The base of schedules, `Schedule`, and helpers that they share."""

from __future__ import annotations

import functools
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

import numpy as np

from luxport.backend import Array, namespace
from luxport.call_arguments import explain_construction
from luxport.core.option_types import expect_options_of, is_real_array
from luxport.text import show

__all__ = [
    "Number",
    "Schedule",
    "interpolate_between",
    "keep_tuple",
    "check_numbers",
    "divide_up",
    "end_at",
    "find_value_at",
]


Number: TypeAlias = Any
"""A float, or an array without axes."""


Kind = TypeVar("Kind", bound=type)


def check_numbers(kind: Kind) -> Kind:
    """Decorate a schedule's dataclass so that errors say which option is wrong."""
    init: Any = vars(explain_construction(kind))["__init__"]

    @functools.wraps(init)
    def wrapper(self: Any, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        expect_options_of(self, arrays=is_real_array)

    kind.__init__ = wrapper
    return kind


class Schedule(ABC):
    """The base of schedules.

    A custom schedule has a method `at`, in Array API terms:

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
        """Return the value at t, a floating array; NaN after the end, if the schedule has one."""

    def __call__(self, t: Number) -> Number:
        """Return the value at t: a float for a number, an array for an array.

        Raises: IndexError if t is a number after the schedule's end; for an array the value is NaN there
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


def find_value_at(schedule: Any, t: Array) -> Array:
    """Return the value of a schedule, or of a number or function in its place, at an array."""
    if isinstance(schedule, Schedule):
        return schedule.at(t)
    return schedule(t) if callable(schedule) else namespace(t).zeros_like(t) + schedule


def end_at(t: Array, end: int, value: Array) -> Array:
    """Return the value up to the end, and NaN after it."""
    xp = namespace(t)
    return xp.where(t <= end, value, xp.zeros_like(t) + math.nan)


def interpolate_between(l0: Number, l1: Number, part: Array) -> Array:
    """Return the value at a given part, from 0 to 1, of the way from the smaller number to the larger."""
    if isinstance(l0, (int, float)) and isinstance(l1, (int, float)):
        return abs(l0 - l1) * part + min(l0, l1)
    xp = namespace(part)
    l0, l1 = xp.zeros_like(part) + l0, xp.zeros_like(part) + l1
    return xp.abs(l0 - l1) * part + xp.minimum(l0, l1)


def divide_up(t: Array, size: Number) -> Array:
    """Return ``t / size`` rounded up; not by `ceil`, since a compiler's division may be inexact for multiples."""
    xp = namespace(t)
    rest = t % size
    return xp.round((t - rest) / size) + xp.astype(rest > 0, t.dtype)


def keep_tuple(schedule: Any, name: str) -> None:
    """Convert a field that may be given as any iterable to a tuple."""
    value = getattr(schedule, name)
    if isinstance(value, Iterable) and not isinstance(value, tuple) and getattr(value, "shape", None) != ():
        if isinstance(value, range) and len(value) > _LONGEST:
            raise ValueError(f"{type(schedule).__name__} expects {name} as a tuple, got {show(value)}")
        object.__setattr__(schedule, name, tuple(value))


_LONGEST = 1_000_000
