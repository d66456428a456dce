"""Rules made of rules: `OptimizerChain`, `AccumGrad` and `MixedPrecision`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from luxport import tree
from luxport.backend import Array, backend_of, namespace
from luxport.backend.option_rules import is_of_luxport
from luxport.optimizers._construction import explains_itself
from luxport.optimizers._rule import (
    Batched,
    Clocked,
    Compound,
    Replacement,
    Rule,
    Step,
    StepIf,
    apply_at,
    apply_rule,
    start,
    start_clock,
    subtract,
    tick,
    update_all,
)

__all__ = ["AccumGrad", "MixedPrecision", "OptimizerChain"]


@explains_itself
@dataclass(frozen=True, init=False, repr=False)
class OptimizerChain(Clocked, Compound, Batched):
    """Rules in sequence: each takes the step of the previous rule as its gradient; the last rule's step is taken.

    Without rules the gradient is the step. Where a rule makes no step, the rules after it are not applied, and their
    states do not change.

    Args:
        *rules: the rules, in order

    State: a tuple of the rules' states
    Raises: ValueError if a rule is a `MixedPrecision`, which belongs around the chain
    Source: Optimisers.jl ``OptimizerChain``

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> rule = optimizers.OptimizerChain(optimizers.ClipGrad(1.0), optimizers.Descent(0.1))
    >>> optimizers.update(optimizers.setup(rule, np.zeros(3)), np.zeros(3), np.array([0.3, 1.0, 7.0]))[1]
    array([-0.03, -0.1 , -0.1 ])
    """

    rules: tuple[Rule, ...]

    def __init__(self, *rules: Rule) -> None:
        if any(isinstance(rule, MixedPrecision) for rule in rules):
            raise ValueError("OptimizerChain expects MixedPrecision around it, not in it: MixedPrecision(chain)")
        object.__setattr__(self, "rules", rules)

    def __repr__(self) -> str:
        return f"OptimizerChain({', '.join(map(repr, self.rules))})"

    @property
    def inner_rules(self) -> tuple[Rule, ...]:
        """The rules in order."""
        return self.rules

    def map_rules(self, f: Callable[[Rule], Rule]) -> OptimizerChain:
        """Return the chain of ``f(rule)`` for each rule."""
        return OptimizerChain(*[f(rule) for rule in self.rules])

    @property
    def elementwise(self) -> bool:
        """Whether all rules are elementwise."""
        return all([isinstance(rule, Batched) and rule.elementwise for rule in self.rules])

    @property
    def shares(self) -> bool:
        """Whether the rules are known to step all arrays at the same updates; luxport's own rules do."""
        return all([_shares(rule) for rule in self.rules[:-1]])

    def start_clock(self, x: Array) -> tuple[Any, ...]:
        """Start each rule's clock."""
        return tuple([start_clock(rule, x) for rule in self.rules])

    def start(self, x: Array) -> tuple[Any, ...]:
        """Start each rule."""
        return tuple([start(rule, x) for rule in self.rules])

    def tick(self, clock: tuple[Any, ...]) -> tuple[Any, ...]:
        """Advance the clocks; a clock after a condition advances only if that holds."""
        condition, new = None, []
        for rule, old in zip(self.rules, clock, strict=True):
            new.append(tick(rule, old) if condition is None else _select(condition, tick(rule, old), old))
            condition = _join_both(condition, rule.condition(old) if isinstance(rule, Clocked) else None)
        return tuple(new)

    def condition(self, clock: tuple[Any, ...]) -> Array | None:
        """Return whether the conditions of all rules hold."""
        condition = None
        for rule, its in zip(self.rules, clock, strict=True):
            condition = _join_both(condition, rule.condition(its) if isinstance(rule, Clocked) else None)
        return condition

    def apply_at(
        self, clock: tuple[Any, ...], state: tuple[Any, ...], x: Array, dx: Array, *more: Array
    ) -> tuple[tuple[Any, ...], Step]:
        """Pass the gradient through the rules."""
        return self._pass_on(state, dx, lambda i, its, dx: apply_at(self.rules[i], clock[i], its, x, dx, more))

    def init(self, x: Array) -> tuple[Any, ...]:
        """Start each rule, with a clock of its own."""
        return tuple([rule.init(x) for rule in self.rules])

    def apply(self, state: tuple[Any, ...], x: Array, dx: Array, *more: Array) -> tuple[tuple[Any, ...], Step]:
        """Pass the gradient through the rules, each with its own clock."""
        return self._pass_on(state, dx, lambda i, its, dx: apply_rule(self.rules[i], its, x, dx, more))

    def _pass_on(
        self, state: tuple[Any, ...], dx: Array, apply: Callable[[int, Any, Any], tuple[Any, Step]]
    ) -> tuple[tuple[Any, ...], Step]:
        states = list(state)
        step: Step = dx
        condition = None
        for i in range(len(self.rules)):
            new, step = apply(i, states[i], step)
            states[i] = new if condition is None else _select(condition, new, states[i])
            if step is None:
                break
            if isinstance(step, StepIf):
                condition = _join_both(condition, step.condition)
                step = step.step
        if condition is not None and step is not None:
            step = StepIf(condition, step)
        return tuple(states), step

    def update_all(
        self, clock: Any, states: Sequence[Any], xs: Sequence[Array], dxs: Sequence[Array], *, in_place: bool
    ) -> tuple[list[Any], list[Array]]:
        """Pass the gradients through all rules but the last, which steps all arrays at once."""
        if not self.rules or not self.shares or self.condition(clock) is not None:
            pairs = [apply_at(self, clock, state, x, dx, ()) for state, x, dx in zip(states, xs, dxs, strict=True)]
            new = [subtract(x, step) for x, (_, step) in zip(xs, pairs, strict=True)]
            return [state for state, _ in pairs], new
        firsts = self.rules[:-1]
        before, steps = [], []
        for its, x, step in zip(states, xs, dxs, strict=True):
            new_states = []
            for i, rule in enumerate(firsts):
                state, step = apply_at(rule, clock[i], its[i], x, step, ())
                new_states.append(state)
            before.append(new_states)
            steps.append(step)
        last, new = update_all(self.rules[-1], clock[-1], [its[-1] for its in states], xs, steps, (), in_place=in_place)
        return [(*its, one) for its, one in zip(before, last, strict=True)], new


@explains_itself
@dataclass(frozen=True)
class AccumGrad(Clocked):
    """Pass on the mean of n gradients at every n-th update; the other updates take no step.

    For batches that do not fit into memory: with ``OptimizerChain(AccumGrad(4), Adam())`` Adam steps at every fourth
    update, and its state does not change in between.

    Args:
        n: how many gradients make one step

    State: the sum so far divided by n, like x; shared, the number () of the next gradient, an int32, from 1
    Raises: ValueError if n is not positive
    Source: Optimisers.jl ``AccumGrad``
    """

    n: int

    def start_clock(self, x: Array) -> Array:
        """Count from 1."""
        return namespace(x).asarray(1, dtype=namespace(x).int32)

    def start(self, x: Array) -> Array:
        """Start from a sum of 0."""
        return namespace(x).zeros_like(x)

    def tick(self, clock: Array) -> Array:
        """Count to n, then from 1 again."""
        return namespace(clock).where(clock == self.n, namespace(clock).ones_like(clock), clock + 1)

    def condition(self, clock: Array) -> Array:
        """Return whether this gradient is the n-th."""
        return clock == self.n

    def apply_at(self, clock: Array, state: Array, x: Array, dx: Array) -> tuple[Array, Step]:
        """Add a gradient, and pass the mean on if it is the n-th."""
        total = namespace(x).where(clock == 1, dx / self.n, state + dx / self.n)
        return total, StepIf(clock == self.n, total)


@explains_itself
@dataclass(frozen=True)
class MixedPrecision(Clocked, Compound):
    """Apply a rule to a copy of the parameters in higher precision, which is rounded to theirs after each step.

    Args:
        rule: the rule
        dtype: the floating dtype of the copy, by name

    State: the copy in `dtype`, and the rule's state for it
    Raises: ValueError if `dtype` is no floating dtype
    Source: Optimisers.jl ``MixedPrecision``; P. Micikevicius et al. (2018)

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> x = np.ones(2, np.float16)
    >>> state = optimizers.setup(optimizers.MixedPrecision(optimizers.Descent(1e-5)), x)
    >>> state, y = optimizers.update(state, x, x)
    >>> y, state.leaves.state[0]
    (array([1., 1.], dtype=float16), array([0.99999, 0.99999], dtype=float32))
    """

    rule: Rule
    dtype: str = "float32"

    @property
    def inner_rules(self) -> tuple[Rule, ...]:
        """The one rule."""
        return (self.rule,)

    def map_rules(self, f: Callable[[Rule], Rule]) -> MixedPrecision:
        """Return the same for ``f(rule)``."""
        return MixedPrecision(f(self.rule), self.dtype)

    def inner_dtype(self, dtype: str) -> str:
        """Name the dtype of the copy."""
        return self.dtype

    def start_clock(self, x: Array) -> Any:
        """Start the rule's clock for the copy."""
        return start_clock(self.rule, self._copy(x))

    def start(self, x: Array) -> tuple[Array, Any]:
        """Copy the parameters."""
        copy = self._copy(x)
        return copy, start(self.rule, copy)

    def tick(self, clock: Any) -> Any:
        """Advance the rule's clock."""
        return tick(self.rule, clock)

    def apply_at(
        self, clock: Any, state: tuple[Array, Any], x: Array, dx: Array, *more: Array
    ) -> tuple[tuple[Array, Any], Step]:
        """Step in higher precision, and round."""
        xp = namespace(x)
        copy, inner = state
        gradients = [xp.astype(array, copy.dtype) for array in (dx, *more)]
        inner, step = apply_at(self.rule, clock, inner, copy, gradients[0], tuple(gradients[1:]))
        copy = subtract(copy, step)
        return (copy, inner), Replacement(xp.astype(copy, x.dtype))

    def _copy(self, x: Array) -> Array:
        xp = namespace(x)
        dtype = getattr(xp, self.dtype, None)
        if dtype is None:
            raise ValueError(
                f"MixedPrecision expects a dtype of the backend, and {backend_of(x).name} has no {self.dtype}"
            )
        return xp.astype(x, dtype, copy=True)


def _shares(rule: Rule) -> bool:
    """Tell whether a rule is known to step all arrays at the same updates; of custom rules that is not known."""
    return is_of_luxport(rule) and (not isinstance(rule, Clocked) or rule.shares)


def _select(condition: Array, new: Any, old: Any) -> Any:
    return tree.map(lambda a, b: namespace(a).where(condition, a, b), new, old)


def _join_both(a: Array | None, b: Array | None) -> Array | None:
    """Return the condition that both hold; None is one that always holds."""
    if a is None or b is None:
        return b if a is None else a
    return namespace(a).logical_and(a, b)
