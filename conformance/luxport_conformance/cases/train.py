"""Cases of training with penalties on the parameters: Flux's tests."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import Dense, optimizers, tanh
from luxport.optimizers import Adam, OptimizerChain, WeightDecay
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, cite, draw
from luxport_conformance.compare import Tolerance

FILE = "flux:train.jl"
MODEL = Dense(3, 2, tanh)
STEPS, PENALTY, RATE = 10, 0.33, 0.1


def _train_penalized(weight: Any, bias: Any, xs: Any, ys: Any) -> Any:
    """Return the results of training with the penalty as a formula, as a sum over `trainables`, and as weight decay."""
    xp = luxport.namespace(weight)

    def compute_error(ps: Any, x: Any, y: Any) -> Any:
        return xp.mean((MODEL(x, ps, {})[0] - y) ** 2)

    def penalize_by_hand(ps: Any, x: Any, y: Any) -> Any:
        return compute_error(ps, x, y) + PENALTY * (xp.sum(ps["weight"] ** 2) / 2 + xp.sum(ps["bias"] ** 2) / 2)

    def penalize_all(ps: Any, x: Any, y: Any) -> Any:
        return compute_error(ps, x, y) + PENALTY * sum(xp.sum(array**2) / 2 for array in luxport.trainables(ps))

    def train(loss: Any, rule: Any) -> Any:
        ps = {"weight": weight, "bias": bias}
        state = optimizers.setup(rule, ps)
        for i in range(STEPS):
            state, ps = optimizers.update(state, ps, luxport.grad(loss)(ps, xs[i, ...], ys[i, ...]))
        return ps["weight"] - weight

    decay = OptimizerChain(WeightDecay(PENALTY), Adam(RATE))
    return train(penalize_by_hand, Adam(RATE)), train(penalize_all, Adam(RATE)), train(compute_error, decay)


def _expect_penalized(weight: Any, bias: Any, xs: Any, ys: Any) -> Any:
    """Compute the training in float64 by the formulas of the gradient and of Adam (D. P. Kingma and J. Ba, 2015)."""
    values, first, second = [weight, bias], [0.0, 0.0], [0.0, 0.0]
    for step, (x, y) in enumerate(zip(xs, ys, strict=True), 1):
        out = np.tanh(x @ values[0] + values[1])
        pulled = 2 * (out - y) / y.size * (1 - out**2)
        for i, gradient in enumerate((x.T @ pulled + PENALTY * values[0], pulled.sum(0) + PENALTY * values[1])):
            first[i] = 0.9 * first[i] + 0.1 * gradient
            second[i] = 0.999 * second[i] + 0.001 * gradient**2
            mean, square = first[i] / (1 - 0.9**step), second[i] / (1 - 0.999**step)
            values[i] = values[i] - RATE * mean / (np.sqrt(square) + 1e-8)
    return (values[0] - weight,) * 3


CASES: list[Case] = [
    check_program(
        "train.penalty_is_decay",
        cite(FILE, 261, 271),
        _train_penalized,
        {
            "weight": draw(3, 2, seed=1),
            "bias": np.zeros(2),
            "xs": draw(STEPS, 5, 3, seed=2),
            "ys": draw(STEPS, 5, 2, seed=3),
        },
        subject="WeightDecay",
        expected=_expect_penalized,
        differentiates=True,
        tolerance=Tolerance(reduction=200),
        compiles=False,  # thirty steps in one program compile slowly
    )
]
