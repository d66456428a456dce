"""The training steps by Keras 3, on whatever backend ``KERAS_BACKEND`` names: ``model.train_on_batch``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from benchmarks.models import CASES

__all__ = ["KNOWN", "step"]

KNOWN = ("W2", "W3")


def quick_start() -> Any:
    return keras.Sequential(
        [
            *(keras.Input((128,)), layers.BatchNormalization(momentum=0.9, epsilon=1e-5)),
            *(layers.Dense(256, "tanh"), layers.BatchNormalization(momentum=0.9, epsilon=1e-5)),
            *(layers.Dense(1, "tanh"), layers.Dense(10)),
        ]
    )


def mlp() -> Any:
    return keras.Sequential(
        [keras.Input((784,)), layers.Dense(256, "relu"), layers.Dense(256, "relu"), layers.Dense(10)]
    )


def step(case: str) -> Callable[[], Any]:
    """Return a function that takes one step of a case that is KNOWN; Keras takes NumPy arrays and returns a float."""
    _, _, x, target = CASES[case]
    if "quick" in case:
        model, loss = quick_start(), "mean_squared_error"
    else:
        model, loss = mlp(), keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.0001), loss=loss)
    return lambda: model.train_on_batch(x, target)
