"""Cases of convergence of every optimizer: Flux's and Optimisers.jl's linear problems.

Gradients are written as formulas, so that only NumPy takes the thousands of steps; other cases compare a single step
of every rule on every backend.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import optimizers
from luxport.optimizers import Descent
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_fact, cite
from luxport_conformance.cases.optimizer_parts import ALL_RULES

TRAIN, RULES = "flux:train.jl", "optimizers:rules.jl"
FLUX = ("AdamW", "AdaGrad", "AdaMax", "AdaDelta", "AMSGrad", "NAdam", "RAdam", "Descent", "Adam")
FLUX += ("OAdam", "AdaBelief", "Nesterov", "RMSProp", "Momentum")
STEPS = 4_000


def _measure_fit(rule: Any) -> bool:
    """Fit a matrix and a bias to another matrix, one random vector in each step; return whether the loss becomes small.

    The first weight differs from the target by about 0.3 in every entry, so that the loss is above 1 as it is
    upstream, where the start is random and training takes 100,000 steps.
    """
    rng = np.random.default_rng(84)
    target = rng.normal(size=(10, 10))
    ps = {"weight": target + rng.uniform(0.25, 0.35, size=(10, 10)), "bias": np.zeros(10), "ignored": None}
    state, held_out = optimizers.setup(rule, ps), rng.random((10, 10))

    def measure_loss() -> float:
        return float(np.mean((held_out @ ps["weight"] + ps["bias"] - held_out @ target) ** 2))

    start = measure_loss()
    for step in range(1, STEPS + 1):
        x = rng.random(10)
        dy = 0.2 * (x @ ps["weight"] + ps["bias"] - x @ target)
        state, ps = optimizers.update(state, ps, {"weight": np.outer(x, dy), "bias": dy, "ignored": None})
        if step % 50 == 0 and measure_loss() < 0.01:
            return start > 1
    return False


def _measure_shrinking(rule: Any) -> float:
    """Return the sum of a matrix after 200 steps that minimize sum((x + x.T)²), started from the numbers 1 … 64."""
    x = np.random.default_rng(1).permutation(np.arange(1.0, 65.0)).reshape(8, 8)
    state = optimizers.setup(rule, x)
    for _ in range(200):
        state, x = optimizers.update(state, x, 4 * (x + x.T))
    return float(x.sum())


def _check_fit(rule: Any) -> Case:
    kind, name = type(rule).__name__, repr(rule).replace(" ", "")
    lines = (*cite(TRAIN, 22, 26),) if kind in FLUX else ()
    return check_fact(
        f"optimizers.fits.{name}", (*lines, *cite(RULES, 40, 47)), lambda: _measure_fit(rule), subject=kind
    )


CASES: list[Case] = [
    *map(_check_fit, ALL_RULES),
    check_fact(
        "optimizers.simple_sum",
        cite(RULES, 60),
        lambda: repr([rule for rule in ALL_RULES if not _measure_shrinking(rule) < sum(range(1, 65))]),
        "[]",
        subject="update",
    ),
    check_fact(
        "optimizers.simple_sum_to_nothing",
        cite(RULES, 62),
        lambda: _measure_shrinking(Descent()) < 1,
        subject="Descent",
    ),
]
