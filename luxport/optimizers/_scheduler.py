"""`Scheduler`: a rule whose hyper-parameters follow schedules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from luxport.backend import Array, dtype_name, namespace
from luxport.optimizers._hyperparameters import names_of, with_values
from luxport.optimizers._making import explains_itself
from luxport.optimizers._rule import Compound, Rule, Step, apply_rule, is_number, scalar_like

__all__ = ["Scheduler"]


@explains_itself
@dataclass(frozen=True, init=False, repr=False)
class Scheduler(Compound):
    """A rule with hyper-parameters that are functions of the step's number, which counts from 1.

    The schedules (of `luxport.schedules`, or any hashable functions of an array) are part of a compiled program, the
    number is in the state: nothing is compiled anew as they change. A number is a constant schedule.

    State: t (), an int32, from 1, and the rule's state
    Raises: ValueError if the rule has no such hyper-parameter
    Source: ParameterSchedulers.jl ``Scheduler``

    >>> import numpy as np
    >>> from luxport import optimizers, schedules
    >>> rule = optimizers.Scheduler(optimizers.Descent(), eta=schedules.Exp(start=1.0, decay=0.5))
    >>> x = np.zeros(1)
    >>> state = optimizers.setup(rule, x)
    >>> for _ in range(3):
    ...     state, x = optimizers.update(state, x, np.ones(1))
    >>> x
    array([-1.75])
    """

    rule: Rule
    schedules: tuple[tuple[str, Any], ...]

    def __init__(self, rule: Rule, **schedules: Callable[[Any], Any] | float) -> None:
        known = names_of(rule)
        for name in schedules:
            if name not in known:
                raise ValueError(f"Scheduler expects hyper-parameters among {', '.join(sorted(known))}, got {name}")
        object.__setattr__(self, "rule", rule)
        object.__setattr__(self, "schedules", tuple(sorted(schedules.items())))

    def __repr__(self) -> str:
        return f"Scheduler({self.rule!r}, {', '.join(f'{name}={value!r}' for name, value in self.schedules)})"

    @property
    def inner_rules(self) -> tuple[Rule, ...]:
        """The one rule."""
        return (self.rule,)

    def map_rules(self, f: Callable[[Rule], Rule]) -> Scheduler:
        """Schedule f of it instead."""
        return Scheduler(f(self.rule), **dict(self.schedules))

    def init(self, x: Array) -> tuple[Array, Any]:
        """Start the rule with the first values."""
        first = {name: value if is_number(value) else float(value(1)) for name, value in self.schedules}
        return scalar_like(x, 1, namespace(x).int32), with_values(self.rule, first).init(x)

    def apply(self, state: tuple[Array, Any], x: Array, dx: Array, *more: Array) -> tuple[tuple[Array, Any], Step]:
        """Apply the rule with the values for this step."""
        t, inner = state
        xp = namespace(x)
        # Schedules are real, and single precision is the least that they need.
        dtype = xp.float64 if dtype_name(x) in ("float64", "complex128") else xp.float32
        time = xp.astype(t, dtype)
        values = {name: value if is_number(value) else value(time) for name, value in self.schedules}
        inner, step = apply_rule(with_values(self.rule, values), inner, x, dx, more)
        return (t + 1, inner), step
