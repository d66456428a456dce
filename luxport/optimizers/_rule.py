"""What a rule is, and the arithmetic that all rules share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from luxport.backend import Array, namespace
from luxport.tree import Tree

__all__ = [
    "Batched",
    "Clocked",
    "Compound",
    "HigherOrder",
    "Replacement",
    "Rule",
    "StepIf",
    "apply_at",
    "apply_rule",
    "start",
    "start_clock",
    "subtract",
    "tick",
    "update_all",
]


class Rule(Protocol):
    """A hashable value, best a frozen dataclass of hyper-parameters, that optimizes one array.

    Fields of a dataclass that are floats, or tuples of floats, are numbers that may change while training: the state
    of `optimizers.setup` has them, and `apply` finds arrays without axes in their place, in the precision of x. A
    number that decides what the rule does, so that Python must know it, is a field with ``metadata={"static": True}``.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from luxport import namespace, optimizers
    >>> from luxport.optimizers import in_dtype_of
    >>> @dataclass(frozen=True)
    ... class SignDescent:
    ...     eta: float = 0.1
    ...     def init(self, x):
    ...         return None
    ...     def apply(self, state, x, dx):
    ...         return state, in_dtype_of(x, self.eta) * namespace(x).sign(dx)
    >>> ps = {"weight": np.ones(2)}
    >>> state = optimizers.setup(SignDescent(0.5), ps)
    >>> optimizers.update(state, ps, {"weight": np.array([3.0, -4.0])})[1]
    {'weight': array([0.5, 1.5])}
    """

    def init(self, x: Array) -> Tree:
        """Make the state for an array: a tree of arrays, or None."""
        ...

    def apply(self, state: Tree, x: Array, dx: Array) -> tuple[Tree, Step]:
        """Return the next state and the step to subtract from x, or None for no step; dx has the dtype of x."""
        ...


class HigherOrder(ABC):
    """A rule that takes more than the gradient: whatever further trees `update` was given, in their order.

    Other rules are not shown them.
    """

    @abstractmethod
    def apply(self, state: Tree, x: Array, dx: Array, *more: Array) -> tuple[Tree, Step]:
        """Return the next state and the step."""


class Compound(HigherOrder):
    """A rule made of other rules."""

    @property
    @abstractmethod
    def inner_rules(self) -> tuple[Rule, ...]:
        """The rules it is made of."""

    @abstractmethod
    def map_rules(self, f: Callable[[Rule], Rule]) -> Rule:
        """Return the same, made of ``f(rule)`` for each of them."""

    def inner_dtype(self, dtype: str) -> str:
        """Name the dtype that the inner rules work in, for an array of `dtype`."""
        return dtype


class Clocked(ABC):
    """A rule with a clock: a part of its state that is one for all parameters that step together.

    A count of steps, or powers of beta. Of one array alone the state is a pair of what is its own and the clock.
    """

    @property
    def shares(self) -> bool:
        """Whether the clock may be shared: whether it runs alike for all arrays, whatever their gradients are."""
        return True

    @abstractmethod
    def start_clock(self, x: Array) -> Tree:
        """Make the clock for arrays like x."""

    @abstractmethod
    def start(self, x: Array) -> Tree:
        """Make the rest of the state for an array."""

    @abstractmethod
    def tick(self, clock: Tree) -> Tree:
        """Return the clock for the step after this one."""

    @abstractmethod
    def apply_at(self, clock: Tree, state: Tree, x: Array, dx: Array, *more: Array) -> tuple[Tree, Step]:
        """Return the rest of the next state, and the step."""

    def condition(self, clock: Tree) -> Array | None:
        """Return whether the rules after it in a chain step now, or None if they always do."""
        return None

    def init(self, x: Array) -> Tree:
        """Make the state for an array."""
        return self.start(x), self.start_clock(x)

    def apply(self, state: Tree, x: Array, dx: Array, *more: Array) -> tuple[Tree, Step]:
        """Return the next state and the step."""
        own, clock = state
        own, step = self.apply_at(clock, own, x, dx, *more)
        return (own, self.tick(clock)), step


class Batched(ABC):
    """A rule that steps many arrays at once, where a backend has a function for that."""

    @property
    def elementwise(self) -> bool:
        """Whether each number of an array is stepped by itself, so that arrays may be joined to one."""
        return True

    @abstractmethod
    def update_all(
        self, clock: Tree, states: Sequence[Tree], xs: Sequence[Array], dxs: Sequence[Array], *, in_place: bool
    ) -> tuple[list[Tree], list[Array]]:
        """Return the next states (without the clock) and the new arrays; `in_place` if the old ones may be reused."""


class StepIf(NamedTuple):
    """A step that is taken only where a scalar condition holds; a compiled program learns it when it runs.

    The rules after it in a chain step as well, and keep their states unless the condition holds.

    Args:
        condition: a bool without axes
        step: the step to take where it is true
    """

    condition: Array
    step: Array


class Replacement(NamedTuple):
    """New values of a parameter in place of a step, where subtraction would round them.

    Args:
        x: the new array
    """

    x: Array


Step = Array | StepIf | Replacement | None


def apply_rule(rule: Rule, state: Tree, x: Array, dx: Array, more: tuple[Array, ...]) -> tuple[Tree, Step]:
    """Apply a rule, with the further gradients if it takes them."""
    return rule.apply(state, x, dx, *more) if more and isinstance(rule, HigherOrder) else rule.apply(state, x, dx)


def start_clock(rule: Rule, x: Array) -> Tree:
    """Make the part of the state that arrays share, or None."""
    return rule.start_clock(x) if isinstance(rule, Clocked) and rule.shares else None


def start(rule: Rule, x: Array) -> Tree:
    """Make the part of the state that is an array's own."""
    return rule.start(x) if isinstance(rule, Clocked) and rule.shares else rule.init(x)


def tick(rule: Rule, clock: Tree) -> Tree:
    """Return the next clock."""
    return rule.tick(clock) if isinstance(rule, Clocked) and rule.shares else clock


def apply_at(rule: Rule, clock: Tree, state: Tree, x: Array, dx: Array, more: tuple[Array, ...]) -> tuple[Tree, Step]:
    """Apply a rule to one of several arrays that share a clock."""
    if not (isinstance(rule, Clocked) and rule.shares):
        return apply_rule(rule, state, x, dx, more)
    if more and isinstance(rule, HigherOrder):
        return rule.apply_at(clock, state, x, dx, *more)
    return rule.apply_at(clock, state, x, dx)


def update_all(
    rule: Rule,
    clock: Tree,
    states: Sequence[Tree],
    xs: Sequence[Array],
    dxs: Sequence[Array],
    more: Sequence[tuple[Array, ...]],
    *,
    in_place: bool = False,
) -> tuple[list[Tree], list[Array]]:
    """Step many arrays, at once where the rule can; `in_place` if the memory of the old ones may be reused."""
    if isinstance(rule, Batched) and not (more and more[0]):
        return rule.update_all(clock, states, xs, dxs, in_place=in_place)
    new_states, new_xs = [], []
    for i, x in enumerate(xs):
        state, step = apply_at(rule, clock, states[i], x, dxs[i], more[i] if more else ())
        new_states.append(state)
        new_xs.append(subtract(x, step))
    return new_states, new_xs


def subtract(x: Array, step: Step) -> Array:
    """Take a step from x."""
    if step is None:
        return x
    if isinstance(step, Replacement):
        return step.x
    if isinstance(step, StepIf):
        return namespace(x).where(step.condition, x - step.step, x)
    return x - step
