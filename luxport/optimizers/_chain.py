"""Rules made of rules: `OptimizerChain`, `AccumGrad` and `MixedPrecision`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from luxport import tree
from luxport.backend import Array, backend_of, check_dtype_name, namespace
from luxport.optimizers._making import explains_itself
from luxport.optimizers._rule import Compound, Replacement, Rule, Step, StepIf, apply_rule, scalar_like, subtract

__all__ = ["AccumGrad", "MixedPrecision", "OptimizerChain"]


@explains_itself
@dataclass(frozen=True, init=False, repr=False)
class OptimizerChain(Compound):
    """Rules in a row: each takes the step of the one before for its gradient, and the last one's is the step.

    Without rules the gradient is the step. Where a rule has no step, the rules after it are left out, states and all.

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
        """Chain f of each."""
        return OptimizerChain(*[f(rule) for rule in self.rules])

    def init(self, x: Array) -> tuple[Any, ...]:
        """Start every rule."""
        return tuple([rule.init(x) for rule in self.rules])

    def apply(self, state: tuple[Any, ...], x: Array, dx: Array, *more: Array) -> tuple[tuple[Any, ...], Step]:
        """Let the gradient flow through the rules."""
        states = list(state)
        step: Step = dx
        condition = None
        for i, rule in enumerate(self.rules):
            new, step = apply_rule(rule, states[i], x, step, more)
            states[i] = new if condition is None else _where(condition, new, states[i])
            if step is None:
                break
            if isinstance(step, StepIf):
                condition = step.condition if condition is None else _both(condition, step.condition)
                step = step.step
        if condition is not None and step is not None:
            step = StepIf(condition, step)
        return tuple(states), step


@explains_itself
@dataclass(frozen=True)
class AccumGrad:
    """Pass on the mean of n gradients at every n-th update; at the others there is no step.

    For batches that do not fit into memory: ``OptimizerChain(AccumGrad(4), Adam())`` lets Adam step once in
    four updates, its state untouched in between.

    State: the sum so far over n, like x, and the number () of the next gradient, an int32, from 1
    Raises: ValueError if n is not positive
    Source: Optimisers.jl ``AccumGrad``
    """

    n: int

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"AccumGrad expects at least one gradient, got n = {self.n}")

    def init(self, x: Array) -> tuple[Array, Array]:
        """Start from nothing."""
        xp = namespace(x)
        return xp.zeros_like(x), scalar_like(x, 1, xp.int32)

    def apply(self, state: tuple[Array, Array], x: Array, dx: Array) -> tuple[tuple[Array, Array], Step]:
        """Add a gradient, and pass the mean on if it is the last."""
        xp = namespace(x)
        total, number = state
        total = xp.where(number == 1, dx / self.n, total + dx / self.n)
        complete = number == self.n
        number = xp.where(complete, xp.ones_like(number), number + 1)
        return (total, number), StepIf(complete, total)


@explains_itself
@dataclass(frozen=True)
class MixedPrecision(Compound):
    """Apply a rule to a copy of the parameters in higher precision, and round the copy to theirs after each step.

    State: the copy in `dtype`, and the rule's state for it
    Raises: ValueError if `dtype` is no floating dtype
    Source: Optimisers.jl ``MixedPrecision``; P. Micikevicius et al. (2018)

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> x = np.ones(2, np.float16)
    >>> state = optimizers.setup(optimizers.MixedPrecision(optimizers.Descent(1e-5)), x)
    >>> state, y = optimizers.update(state, x, x)
    >>> y, state["state"][0]
    (array([1., 1.], dtype=float16), array([0.99999, 0.99999], dtype=float32))
    """

    rule: Rule
    dtype: str = "float32"

    def __post_init__(self) -> None:
        check_dtype_name(self.dtype, floating=True)

    @property
    def inner_rules(self) -> tuple[Rule, ...]:
        """The one rule."""
        return (self.rule,)

    def map_rules(self, f: Callable[[Rule], Rule]) -> MixedPrecision:
        """Apply f of it instead."""
        return MixedPrecision(f(self.rule), self.dtype)

    def init(self, x: Array) -> tuple[Array, Any]:
        """Copy the parameters."""
        xp = namespace(x)
        dtype = getattr(xp, self.dtype, None)
        if dtype is None:
            raise ValueError(
                f"MixedPrecision expects a dtype of the backend, and {backend_of(x).name} has no {self.dtype}"
            )
        copy = xp.astype(x, dtype)
        return copy, self.rule.init(copy)

    def apply(self, state: tuple[Array, Any], x: Array, dx: Array, *more: Array) -> tuple[tuple[Array, Any], Step]:
        """Step in higher precision, and round."""
        xp = namespace(x)
        copy, inner = state
        gradients = [xp.astype(array, copy.dtype) for array in (dx, *more)]
        inner, step = apply_rule(self.rule, inner, copy, gradients[0], tuple(gradients[1:]))
        copy = subtract(copy, step)
        return (copy, inner), Replacement(xp.astype(copy, x.dtype))


def _where(condition: Array, new: Any, old: Any) -> Any:
    return tree.map(lambda a, b: namespace(a).where(condition, a, b), new, old)


def _both(a: Array, b: Array) -> Array:
    return namespace(a).logical_and(a, b)
