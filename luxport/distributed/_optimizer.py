"""`DistributedOptimizer`: a rule that averages gradients over all processes before each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from luxport.backend import Array
from luxport.distributed._collectives import average
from luxport.optimizers._construction import explains_itself
from luxport.optimizers._rule import (
    Batched,
    Clocked,
    Compound,
    Rule,
    Step,
    apply_at,
    apply_rule,
    start,
    start_clock,
    tick,
    update_all,
)

__all__ = ["DistributedOptimizer"]


@explains_itself
@dataclass(frozen=True)
class DistributedOptimizer(Clocked, Compound, Batched):
    """A rule that is applied to the means of gradients over all processes, and so takes the same step in each.

    Parameters that are the same before (`synchronize`) remain the same. For a loss that is a mean over its batch, the
    step is that for the mean over the batches of all processes. FluxMPI instead sums gradients and scales the loss by
    1 / total_workers().

    Args:
        rule: the rule to apply

    State: the rule's
    Raises: DistributedError as `allreduce` does, at each step
    Source: Lux.jl ``DistributedUtils.DistributedOptimizer``

    >>> import numpy as np
    >>> from luxport import distributed, optimizers
    >>> distributed.initialize("local")
    >>> state = optimizers.setup(DistributedOptimizer(optimizers.Descent(0.5)), np.ones(2))
    >>> optimizers.update(state, np.ones(2), np.array([1.0, 2.0]))[1]
    array([0.5, 0. ])
    >>> distributed.shutdown()
    """

    rule: Rule

    @property
    def inner_rules(self) -> tuple[Rule, ...]:
        """The rule, as a tuple."""
        return (self.rule,)

    def map_rules(self, f: Callable[[Rule], Rule]) -> DistributedOptimizer:
        """Return the optimizer with ``f(rule)`` as its rule."""
        return DistributedOptimizer(f(self.rule))

    @property
    def shares(self) -> bool:
        """Whether parameters may share the rule's clock."""
        return not isinstance(self.rule, Clocked) or self.rule.shares

    def start_clock(self, x: Array) -> Any:
        """Return the initial clock of the rule."""
        return start_clock(self.rule, x)

    def start(self, x: Array) -> Any:
        """Return the rule's initial state."""
        return start(self.rule, x)

    def tick(self, clock: Any) -> Any:
        """Return the rule's next clock."""
        return tick(self.rule, clock)

    def condition(self, clock: Any) -> Array | None:
        """Return the rule's condition."""
        return self.rule.condition(clock) if isinstance(self.rule, Clocked) else None

    def apply_at(self, clock: Any, state: Any, x: Array, dx: Array, *more: Array) -> tuple[Any, Step]:
        """Apply the rule to the mean gradient."""
        means = average([dx, *more])
        return apply_at(self.rule, clock, state, x, means[0], tuple(means[1:]))

    def init(self, x: Array) -> Any:
        """Return the rule's initial state and clock."""
        return self.rule.init(x)

    def apply(self, state: Any, x: Array, dx: Array, *more: Array) -> tuple[Any, Step]:
        """Apply the rule to the mean gradient, with the clock in the state."""
        means = average([dx, *more])
        return apply_rule(self.rule, state, x, means[0], tuple(means[1:]))

    def update_all(
        self, clock: Any, states: Sequence[Any], xs: Sequence[Array], dxs: Sequence[Array], *, in_place: bool
    ) -> tuple[list[Any], list[Array]]:
        """Average all gradients in one operation, and update all arrays."""
        return update_all(self.rule, clock, states, xs, average(dxs), (), in_place=in_place)
