"""`Scheduler`: a rule whose hyper-parameters follow schedules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import Array, namespace
from luxport.optimizers._construction import explains_itself
from luxport.optimizers._hyperparameters import name_numbers, name_precision, replace_by_name, replace_values
from luxport.optimizers._rule import Clocked, Compound, Rule, Step, apply_at, start, start_clock, tick
from luxport.optimizers._rule_arithmetic import is_number, read_number

__all__ = ["Scheduler"]


@explains_itself
@dataclass(frozen=True, init=False, repr=False)
class Scheduler(Clocked, Compound):
    """A rule whose hyper-parameters are functions of the step's number, which counts from 1.

    The schedules (of `luxport.schedules`, or any hashable functions of an array) are part of the compiled program and
    the step's number is part of the state, so nothing is recompiled. A number is a constant schedule.

    Args:
        rule: the rule
        **schedules: for hyper-parameters of the rule by name, a schedule or a number

    State: shared, t (), an int32, from 1; the rule's state
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
        known = name_numbers(rule)
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
        """Return the same schedules for ``f(rule)``."""
        return Scheduler(f(self.rule), **dict(self.schedules))

    def start_clock(self, x: Array) -> tuple[Array, Any]:
        """Start from step 1, and the rule's clock with the values at that step."""
        return namespace(x).asarray(1, dtype=namespace(x).int32), start_clock(self._make_first_rule(), x)

    def start(self, x: Array) -> Any:
        """Start the rule with the values at step 1."""
        return start(self._make_first_rule(), x)

    def tick(self, clock: tuple[Array, Any]) -> tuple[Array, Any]:
        """Count, and advance the rule's clock with the values at this step."""
        t, inner = clock
        leaves = tree.leaves(inner)
        return t + 1, tick(self.at(t, leaves[0] if leaves else t), inner)

    def apply_at(self, clock: tuple[Array, Any], state: Any, x: Array, dx: Array, *more: Array) -> tuple[Any, Step]:
        """Apply the rule with the values at this step."""
        t, inner = clock
        return apply_at(self.at(t, x), inner, state, x, dx, more)

    def _make_first_rule(self) -> Rule:
        return replace_values(
            self.rule, {name: value if is_number(value) else float(value(1)) for name, value in self.schedules}
        )

    def at(self, t: Array, x: Array) -> Rule:
        """Return the rule with the values at a step, which are computed in float32, or in float64 if x has that."""
        xp = namespace(t)
        time = xp.astype(t, xp.float64 if name_precision(x) == "float64" else xp.float32)
        values = {name: value if is_number(value) else value(time) for name, value in self.schedules}
        if not isinstance(time, (np.ndarray, np.generic)):  # a schedule may compute with NumPy whatever it is given
            values = {name: read_number(value) for name, value in values.items()}
        return replace_by_name(self.rule, values)
