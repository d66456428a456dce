"""Cases of training, step by step: Flux's tests of penalties."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import Dense, optimizers, tanh
from luxport.optimizers import Adam, OptimizerChain, WeightDecay
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import at, computation, draw
from luxport_conformance.compare import Tolerance

FILE = "flux:train.jl"
MODEL = Dense(3, 2, tanh)
STEPS, PENALTY, RATE = 10, 0.33, 0.1


def _penalized(weight: Any, bias: Any, xs: Any, ys: Any) -> Any:
    """How far the weight goes with the penalty written out, over all trainables, and as a decay."""
    xp = luxport.namespace(weight)

    def error(ps: Any, x: Any, y: Any) -> Any:
        return xp.mean((MODEL(x, ps, {})[0] - y) ** 2)

    def written_out(ps: Any, x: Any, y: Any) -> Any:
        return error(ps, x, y) + PENALTY * (xp.sum(ps["weight"] ** 2) / 2 + xp.sum(ps["bias"] ** 2) / 2)

    def over_all(ps: Any, x: Any, y: Any) -> Any:
        return error(ps, x, y) + PENALTY * sum(xp.sum(array**2) / 2 for array in luxport.trainables(ps))

    def trained(loss: Any, rule: Any) -> Any:
        ps = {"weight": weight, "bias": bias}
        state = optimizers.setup(rule, ps)
        for i in range(STEPS):
            state, ps = optimizers.update(state, ps, luxport.grad(loss)(ps, xs[i, ...], ys[i, ...]))
        return ps["weight"] - weight

    decay = OptimizerChain(WeightDecay(PENALTY), Adam(RATE))
    return trained(written_out, Adam(RATE)), trained(over_all, Adam(RATE)), trained(error, decay)


def _by_hand(weight: Any, bias: Any, xs: Any, ys: Any) -> Any:
    """The gradient and Adam (D. P. Kingma and J. Ba, 2015) written out, in float64."""
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
    computation(
        "train.penalty_is_decay",
        at(FILE, 261, 271),
        "WeightDecay",
        _penalized,
        {
            "weight": draw(3, 2, seed=1),
            "bias": np.zeros(2),
            "xs": draw(STEPS, 5, 3, seed=2),
            "ys": draw(STEPS, 5, 2, seed=3),
        },
        expected=_by_hand,
        differentiates=True,
        tolerance=Tolerance(reduction=200),
        compiles=False,  # thirty steps in one program compile slowly
    ),
]
