"""A rule that bounds the norm of all gradients together: `ClipGlobalNorm`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from luxport.backend import Array, namespace
from luxport.optimizers._chain import MixedPrecision, OptimizerChain
from luxport.optimizers._construction import explains_itself
from luxport.optimizers._rule import Clocked, Compound, Rule, StepIf, apply_at
from luxport.optimizers._rule_arithmetic import is_number, make_scalar_like
from luxport.optimizers._scaled_norm import LARGE, ScaledNorm, compute_norm_of_all, scale_by
from luxport.optimizers._scheduler import Scheduler
from luxport.tree import Tree

__all__ = ["ClipGlobalNorm", "Flow", "does_clip_together", "expect_all_together", "look_at_all"]


@explains_itself
@dataclass(frozen=True)
class ClipGlobalNorm(Clocked):
    """Pass on the gradients, all scaled down by one factor if the Euclidean norm of all of them is larger than omega.

    The norm is that of everything one `update` steps, as one vector, whatever the dtypes, after the rules before this
    one; frozen parameters and those without a gradient do not count. For use in a chain:
    ``OptimizerChain(ClipGlobalNorm(1.0), Adam())``. A norm that is not finite makes every gradient NaN: see `nonfinite`
    of `luxport.training.train_step`. The state keeps the norm of the last step, for logs.

    Args:
        omega: the largest norm

    State: shared, norm () and factor ()
    Raises: ValueError by `setup` if its chain has a custom rule elsewhere than last, as that may skip steps
    Source: PyTorch ``clip_grad_norm_``; R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training
            recurrent neural networks" (2013)

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> rule = optimizers.OptimizerChain(optimizers.ClipGlobalNorm(1.0), optimizers.Descent(1.0))
    >>> ps = {"weight": np.zeros(2), "bias": np.zeros(1)}
    >>> grads = {"weight": np.array([3.0, 0.0]), "bias": np.array([4.0])}
    >>> optimizers.update(optimizers.setup(rule, ps), ps, grads)[1]
    {'weight': array([-0.6,  0. ]), 'bias': array([-0.8])}
    """

    omega: float = 1.0

    def start_clock(self, x: Array) -> tuple[Array, Array]:
        """Start without a norm."""
        real = namespace(x).abs(x)
        return make_scalar_like(real, 0.0), make_scalar_like(real, 1.0)

    def start(self, x: Array) -> None:
        """Keep nothing for an array."""

    def tick(self, clock: tuple[Array, Array]) -> tuple[Array, Array]:
        """Keep the norm and the factor."""
        return clock

    def look(self, clock: tuple[Array, Array], norm: Array, scaled: ScaledNorm) -> tuple[Array, Array]:
        """Return the clock with a norm and the factor for `scale_by` that brings it down to omega."""
        xp = namespace(norm)
        # omega / infinity would be 0, and hide that the norm is infinite.
        factor = xp.where(xp.isfinite(scaled.size), scaled.factor(self.omega), xp.full_like(norm, math.nan))
        return xp.astype(norm, clock[0].dtype), xp.astype(factor, clock[1].dtype)

    def apply_at(self, clock: tuple[Array, Array], state: None, x: Array, dx: Array) -> tuple[None, Array]:
        """Scale."""
        norm, factor = clock
        omega = self.omega if is_number(self.omega) else namespace(norm).astype(self.omega, norm.dtype)
        is_large = namespace(norm).logical_and(norm > LARGE, norm > omega)
        return state, scale_by(dx, is_large, factor)

    def apply(self, state: Any, x: Array, dx: Array) -> tuple[Any, Array]:  # type: ignore[override]
        """Scale a single array."""
        clock = self.look(state[1], *compute_norm_of_all([dx]))
        return (None, clock), self.apply_at(clock, None, x, dx)[1]


class Flow(NamedTuple):
    """What reaches a rule in a chain: states, arrays, and gradients as the previous rules pass them on."""

    states: Sequence[Tree]
    xs: Sequence[Array]
    dxs: Sequence[Array]


def look_at_all(rules: Sequence[Rule], clocks: Sequence[Tree], flows: Sequence[Flow]) -> list[Tree]:
    """Return the groups' clocks after every `ClipGlobalNorm` has taken the norm of the gradients of all groups.

    Args:
        rules: the rule with each group's numbers
        clocks: the clock of each group
        flows: the arrays of each group
    """
    kind: Any = rules[0]
    if not does_clip_together(kind):
        return list(clocks)
    each: Any = list(zip(rules, clocks, flows, strict=True))
    if isinstance(kind, ClipGlobalNorm):
        found = compute_norm_of_all([dx for flow in flows for dx in flow.dxs])
        return [rule.look(clock, *found) for rule, clock, _ in each]
    if isinstance(kind, MixedPrecision):
        inner = [Flow([own for _, own in states], [copy for copy, _ in states], dxs) for _, _, (states, _, dxs) in each]
        return look_at_all([rule.rule for rule, _, _ in each], clocks, inner)
    if isinstance(kind, Scheduler):
        scheduled = [rule.at(clock[0], flow.xs[0]) for rule, clock, flow in each]
        seen = look_at_all(scheduled, [clock[1] for _, clock, _ in each], flows)
        return [(clock[0], inner) for (_, clock, _), inner in zip(each, seen, strict=True)]
    return _look_along_chains([rule.rules for rule, _, _ in each], clocks, flows)


def expect_all_together(rule: Rule) -> None:
    """Expect only rules around a `ClipGlobalNorm` that are known to step all arrays at the same updates.

    Raises: ValueError
    """
    if not isinstance(rule, Compound) or not does_clip_together(rule):
        return
    if not isinstance(rule, (OptimizerChain, MixedPrecision, Scheduler)) or not rule.shares:
        raise ValueError(
            "optimizers.setup expects rules of luxport's own around ClipGlobalNorm, which looks at all gradients at "
            "once, got one that may skip steps: put a custom rule last, or clip with clip_by_global_norm"
        )
    for inner in rule.inner_rules:
        expect_all_together(inner)


def _look_along_chains(
    chains: Sequence[Sequence[Rule]], clocks: Sequence[Any], flows: Sequence[Flow]
) -> list[tuple[Any, ...]]:
    """Pass the gradients through the rules, up to the last `ClipGlobalNorm`."""
    seen: list[list[Any]] = [list(clock) for clock in clocks]
    last = max([i for i, rule in enumerate(chains[0]) if does_clip_together(rule)])
    gradients = [list(flow.dxs) for flow in flows]
    for i in range(last + 1):
        rules = [chain[i] for chain in chains]
        now = [
            Flow([state[i] for state in flow.states], flow.xs, dxs) for flow, dxs in zip(flows, gradients, strict=True)
        ]
        for group, clock in enumerate(look_at_all(rules, [its[i] for its in seen], now)):
            seen[group][i] = clock
        if i < last:
            gradients = [
                [_pass_on(apply_at(rule, its[i], *one, ())[1]) for one in zip(*flow, strict=True)]
                for rule, its, flow in zip(rules, seen, now, strict=True)
            ]
    return [tuple(its) for its in seen]


def _pass_on(step: Any) -> Any:
    """Return what the next rule takes as its gradient; a condition is the same for all arrays, and can be dropped."""
    return step.step if isinstance(step, StepIf) else step


def does_clip_together(rule: Any) -> bool:
    """Tell whether a rule is or contains a `ClipGlobalNorm`."""
    if isinstance(rule, Compound):
        return any([does_clip_together(inner) for inner in rule.inner_rules])
    return isinstance(rule, ClipGlobalNorm)
