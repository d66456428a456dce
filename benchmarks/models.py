"""The two training steps that are measured, in luxport: one definition for every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import BatchNorm, Chain, Dense, losses, optimizers, relu, tanh
from luxport.training import TrainState, train_step

__all__ = ["CASES", "by_name", "luxport_step"]


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
        *(QUICK_START, losses.MSELoss()),
        *(_rng.standard_normal((64, 128), np.float32), _rng.standard_normal((64, 10), np.float32)),
    ),
    "MLP 784-256-256-10, batch 128": (
        *(MLP, losses.CrossEntropyLoss(logits=True)),
        *(_rng.standard_normal((128, 784), np.float32), _one_hot),
    ),
}


def luxport_step(case: str, backend: str, *, compiled: bool, ready: Callable[[Any], Any]) -> Callable[[], Any]:
    """Return a function that takes one step from where the last one ended, waits for it, and returns the loss."""
    model, loss, x, target = CASES[case]
    data = luxport.asarray(x, backend=backend), luxport.asarray(target, backend=backend)
    carried = [TrainState.create(model, optimizers.Adam(0.0001), backend=backend)]

    def once() -> Any:
        value, _, carried[0] = train_step(loss, data, carried[0], jit=compiled)
        ready((value, carried[0].ps))
        return value

    return once


def by_name(values: Any) -> list[Any]:
    """List the arrays of a model layer by layer, each layer's in the order in which frameworks have them."""
    if not isinstance(values, dict):
        return []
    own = [values[name] for name in ("scale", "weight", "bias", "running_mean", "running_var") if name in values]
    return own or [array for layer in values.values() for array in by_name(layer)]
