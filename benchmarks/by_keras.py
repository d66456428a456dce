"""The training steps by Keras 3, on whatever backend ``KERAS_BACKEND`` names: ``model.train_on_batch``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

import luxport
from benchmarks.models import CASES

__all__ = ["make_step"]

norm = partial(layers.BatchNormalization, momentum=0.9, epsilon=1e-5)
layer_norm = partial(layers.LayerNormalization, epsilon=1e-5)


def mlp(x: Any, *sizes: int, last: str | None = None) -> Any:
    for n in sizes[:-1]:
        x = layers.Dense(n, "relu")(x)
    return layers.Dense(sizes[-1], last)(x)


def quick_start(x: Any) -> Any:
    x = norm()(layers.Dense(256, "tanh")(norm()(x)))
    return layers.Dense(10)(layers.Dense(1, "tanh")(x))


def lenet(x: Any) -> Any:
    for n in (6, 16):
        x = layers.MaxPooling2D()(layers.Conv2D(n, 5, activation="relu")(x))
    return mlp(layers.Flatten()(x), 120, 84, 10)


def convolve(x: Any, dims: int, size: int, stride: int) -> Any:
    x = layers.ZeroPadding2D(1)(x) if stride == 2 and size == 3 else x
    padding = "valid" if stride == 2 else "same"
    return layers.Conv2D(dims, size, stride, padding, use_bias=False)(x)


def resnet(x: Any) -> Any:
    x = layers.ReLU()(norm()(convolve(x, 16, 3, 1)))
    for dims, stride in [(16, 1)] * 3 + [(32, 2)] + [(32, 1)] * 2 + [(64, 2)] + [(64, 1)] * 2:
        y = layers.ReLU()(norm()(convolve(x, dims, 3, stride)))
        y = norm()(convolve(y, dims, 3, 1))
        x = layers.ReLU()(layers.Add()([y, x if stride == 1 else convolve(x, dims, 1, stride)]))
    return layers.Dense(10)(layers.GlobalAveragePooling2D()(x))


def transformer(x: Any) -> Any:
    for _ in range(4):
        y = layer_norm()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 16, use_bias=False)(y, y)])
        y = layers.Dense(256, partial(keras.activations.gelu, approximate=True))(layer_norm()(x))
        x = layers.Add()([x, layers.Dense(64)(y)])
    return x


FORWARDS: dict[str, Callable[[Any], Any]] = {
    "W1": lambda x: mlp(x, 16, 16, 1),
    "W2": lambda x: mlp(x, 256, 256, 10),
    "W3": quick_start,
    "W4": lenet,
    "W5": resnet,
    "W6": lambda x: layers.Dense(10)(layers.LSTM(64)(x)),
    "W7": transformer,
    "W8": lambda x: mlp(x, *[64] * 200, last="relu"),
}


def make_step(case: str) -> Callable[[], Any]:
    """Return a function that takes one step; Keras takes NumPy arrays and returns a float."""
    _, objective, x, target = CASES[case]
    x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, FORWARDS[case[:2]](inputs))
    squares = isinstance(objective, luxport.losses.MSELoss)
    loss = "mean_squared_error" if squares else keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.0001), loss=loss)
    return lambda: model.train_on_batch(x, target)
