"""`Stateful`: a schedule with a memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.call_arguments import explain_construction

__all__ = ["Stateful"]


@explain_construction
class Stateful:
    """A schedule with a memory of the step's number, for a loop that has none; not for compiled programs.

    Args:
        schedule: a schedule, or any function of t
        advance: a function of the step's number: whether the next call goes on, and does not give the same value again

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
        """Start at 1 again."""
        self.t: int = 1
        return self
