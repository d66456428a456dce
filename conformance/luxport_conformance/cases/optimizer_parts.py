"""Rules, numbers and a check of one update that the cases of `luxport.optimizers` share."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import optimizers
from luxport.optimizers import (
    AdaBelief,
    AdaDelta,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    AMSGrad,
    ClipGrad,
    ClipNorm,
    Descent,
    Lion,
    MixedPrecision,
    Momentum,
    NAdam,
    Nesterov,
    OAdam,
    OptimizerChain,
    RAdam,
    RMSProp,
    Rprop,
    SignDecay,
    WeightDecay,
)
from luxport.optimizers._state import Leaf, Tied, group_of
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program

__all__ = ["ALL_RULES", "BRANCHES", "DX", "HUNDRED", "MAIN", "RULES", "TIED", "X", "check_step", "describe_state"]

MAIN = "optimizers:runtests.jl"
RULES = "optimizers:rules.jl"
ALL_RULES = (
    *(Descent(), Adam(), Momentum(), Nesterov(), Rprop(), RMSProp(), AdaGrad(), AdaMax(), AdaDelta(), AMSGrad()),
    *(NAdam(), AdamW(), RAdam(), OAdam(), AdaBelief(), Lion(), MixedPrecision(Adam(), "float64")),
    OptimizerChain(SignDecay(0.001), Adam(0.001)),
    OptimizerChain(ClipNorm(), Adam(0.001)),
    OptimizerChain(ClipGrad(0.5), Momentum()),
    OptimizerChain(WeightDecay(), OAdam(), ClipGrad(1.0)),
    *(RMSProp(centered=True), AdamW(couple=False)),
)
X, DX = np.array([1.0, 10.0, 100.0]), np.array([1.0, 2.0, 3.0])


def describe_state(state: optimizers.OptimizerState) -> Any:
    """Return an optimizer state as a tree of dicts, one for each leaf: its state, and its group's rule and values."""

    def describe(node: Any) -> Any:
        if node is None or isinstance(node, Tied):
            return node
        if isinstance(node, Leaf):
            group = state.groups[group_of(node)]
            return {"state": node.state, "rule": group.rule, "values": group.values}
        if isinstance(node, dict):
            return {key: describe(value) for key, value in node.items()}
        return tuple(map(describe, node))

    return describe(state.leaves)


def check_step(
    id: str, lines: tuple[str, ...], rule: Any, ps: Any, grads: Any, *, expected: Any, subject: str = "", **options: Any
) -> Case:
    """Check one update; `expected` is a tree with some of the new parameters and of the states."""

    def program(ps: Any, grads: Any) -> Any:
        state, new = optimizers.update(optimizers.setup(rule, ps), ps, grads)
        return {"ps": new, "state": describe_state(state), "old": ps}

    return check_program(
        f"optimizers.{id}",
        lines,
        program,
        {"ps": ps, "grads": grads},
        subject=subject or type(rule).__name__,
        expected=expected,
        **options,
    )


BRANCHES = {"a": (np.zeros(1),), "c": np.array([4.0, 3.0, 2.0])}
HUNDRED = np.array([1.0, 10.0, 100.0])
TIED = np.array([1.0, 2.0])
