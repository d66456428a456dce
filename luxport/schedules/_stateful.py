"""A schedule that counts its steps: `Stateful`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.call_arguments import explain_construction

__all__ = ["Stateful"]


@explain_construction
class Stateful:
    """A schedule that counts its steps itself, for loops in Python; not for compiled programs.

    Args:
        schedule: a schedule, or any function of t
        advance: a function of the step's number that says whether the next call advances, or repeats the value

    Source: ParameterSchedulers.jl ``Stateful``, ``next!`` and ``reset!``

    >>> from luxport.schedules import Exp
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
        """Start again at step 1."""
        self.t: int = 1
        return self
