"""The two training steps that are measured, in luxport: one definition for every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import BatchNorm, Chain, Dense, namespace, optimizers, relu, stop_gradient, tanh

__all__ = ["CASES", "luxport_step"]


def mean_squared_error(y: Any, target: Any) -> Any:
    difference = y - target
    return namespace(y).mean(difference * difference)


def cross_entropy(y: Any, target: Any) -> Any:
    xp = namespace(y)
    shifted = y - stop_gradient(xp.max(y, axis=-1, keepdims=True))
    log_total = xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))
    return -xp.mean(xp.sum(target * (shifted - log_total), axis=-1))


QUICK_START = Chain(
    BatchNorm(128),
    Dense(128, 256, tanh),
    BatchNorm(256),
    Chain(Dense(256, 1, tanh), Dense(1, 10)),
)
MLP = Chain(Dense(784, 256, relu), Dense(256, 256, relu), Dense(256, 10))

_rng = np.random.default_rng(0)
_one_hot = np.eye(10, dtype=np.float32)[_rng.integers(0, 10, 128)]
CASES = {
    "quick start, batch 64": (
        *(QUICK_START, mean_squared_error),
        *(_rng.standard_normal((64, 128), np.float32), _rng.standard_normal((64, 10), np.float32)),
    ),
    "MLP 784-256-256-10, batch 128": (MLP, cross_entropy, _rng.standard_normal((128, 784), np.float32), _one_hot),
}


def luxport_step(case: str, backend: str, *, compiled: bool, ready: Callable[[Any], Any]) -> Callable[[], Any]:
    """Return a function that takes one step from where the last one ended, waits for it, and returns the loss."""
    model, loss, x, target = CASES[case]
    x, target = luxport.asarray(x, backend=backend), luxport.asarray(target, backend=backend)
    ps, st = luxport.setup(0, model, backend=backend)
    opt = optimizers.setup(optimizers.Adam(0.0001), ps)

    def step(opt: Any, ps: Any, st: Any, x: Any, target: Any) -> Any:
        def objective(ps: Any) -> Any:
            y, new_st = model(x, ps, st)
            return loss(y, target), new_st

        (value, new_st), grads = luxport.value_and_grad(objective, has_aux=True)(ps)
        opt, ps = optimizers.update(opt, ps, grads)
        return value, opt, ps, new_st

    program: Any = luxport.jit(step) if compiled else step
    carried: Any = [opt, ps, st]

    def once() -> Any:
        value, *carried[:] = program(*carried, x, target)
        ready((value, carried))
        return value

    return once
