"""What a rule is: `Rule`, and the abilities that some rules add, `HigherOrder`, `Compound`, `Clocked`, `Batched`."""

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

    Fields of the dataclass that are floats, or tuples of floats, may change during training: the state of
    `optimizers.setup` holds them, and in `apply` they are arrays without axes, in the precision of x. A number that
    Python must know, because it decides what the rule does, is a field with ``metadata={"static": True}``.

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
    """A rule whose `apply` also takes the further trees given to `update`, in their order; others do not get them."""

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
        """Return the same compound of ``f(rule)`` for each of its rules."""

    def inner_dtype(self, dtype: str) -> str:
        """Name the dtype in which the inner rules work on an array of `dtype`."""
        return dtype


class Clocked(ABC):
    """A rule with a clock: a part of its state that all parameters share which step together.

    A clock is a count of steps, or the powers of beta. For a single array the state is the pair of the array's own
    state and the clock.
    """

    @property
    def shares(self) -> bool:
        """Whether the clock may be shared: it advances the same way for all arrays, whatever their gradients."""
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
        """Return whether the rules after this one in a chain step now, or None if they always do."""
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
    """A rule that can step many arrays in one call, which backends may do faster."""

    @property
    def elementwise(self) -> bool:
        """Whether a number's step depends on that number alone, so that arrays may be concatenated."""
        return True

    @abstractmethod
    def update_all(
        self, clock: Tree, states: Sequence[Tree], xs: Sequence[Array], dxs: Sequence[Array], *, in_place: bool
    ) -> tuple[list[Tree], list[Array]]:
        """Return the next states (without the clock) and the new arrays; `in_place` allows overwriting the old ones."""


class StepIf(NamedTuple):
    """A step that is taken only if a scalar condition holds, which a compiled program evaluates as it runs.

    The rules after it in a chain are computed in any case, but their states change only if the condition holds.

    Args:
        condition: a bool without axes
        step: the step to take where it is true
    """

    condition: Array
    step: Array


class Replacement(NamedTuple):
    """A parameter's new values in place of a step, for rules whose result a subtraction would round.

    Args:
        x: the new array
    """

    x: Array


Step = Array | StepIf | Replacement | None


def apply_rule(rule: Rule, state: Tree, x: Array, dx: Array, more: tuple[Array, ...]) -> tuple[Tree, Step]:
    """Apply a rule, with the further trees' arrays if it takes them."""
    return rule.apply(state, x, dx, *more) if more and isinstance(rule, HigherOrder) else rule.apply(state, x, dx)


def start_clock(rule: Rule, x: Array) -> Tree:
    """Make the part of the state that arrays share, or None."""
    return rule.start_clock(x) if isinstance(rule, Clocked) and rule.shares else None


def start(rule: Rule, x: Array) -> Tree:
    """Make the part of the state that belongs to one array."""
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
    """Step many arrays, in one call if the rule can; `in_place` allows overwriting the old ones."""
    if isinstance(rule, Batched) and not (more and more[0]):
        return rule.update_all(clock, states, xs, dxs, in_place=in_place)
    new_states, new_xs = [], []
    for i, x in enumerate(xs):
        state, step = apply_at(rule, clock, states[i], x, dxs[i], more[i] if more else ())
        new_states.append(state)
        new_xs.append(subtract(x, step))
    return new_states, new_xs


def subtract(x: Array, step: Step) -> Array:
    """Return x after a step."""
    if step is None:
        return x
    if isinstance(step, Replacement):
        return step.x
    if isinstance(step, StepIf):
        return namespace(x).where(step.condition, x - step.step, x)
    return x - step
