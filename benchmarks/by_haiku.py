"""The training steps by Haiku modules and `optax.adam`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import haiku as hk  # type: ignore[import-not-found]
import jax
import jax.numpy as jnp

from benchmarks.with_optax import make_step_of, put_channels_last

__all__ = ["make_step"]


def norm(x: Any) -> Any:
    return hk.BatchNorm(True, True, 0.9, 1e-5)(x, is_training=True)


def layer_norm(x: Any) -> Any:
    return hk.LayerNorm(-1, True, True, 1e-5)(x)


def quick_start(x: Any) -> Any:
    x = norm(jnp.tanh(hk.Linear(256)(norm(x))))
    return hk.Linear(10)(jnp.tanh(hk.Linear(1)(x)))


def lenet(x: Any) -> Any:
    for n in (6, 16):
        x = hk.max_pool(jax.nn.relu(hk.Conv2D(n, 5, padding="VALID")(x)), (2, 2, 1), (2, 2, 1), "VALID")
    return hk.nets.MLP((120, 84, 10))(x.reshape(x.shape[0], -1))


def convolve(x: Any, dims: int, size: int, stride: int) -> Any:
    around = (size // 2, size // 2)
    return hk.Conv2D(dims, size, stride, padding=(around, around), with_bias=False)(x)


def resnet(x: Any) -> Any:
    x = jax.nn.relu(norm(convolve(x, 16, 3, 1)))
    for dims, stride in [(16, 1)] * 3 + [(32, 2)] + [(32, 1)] * 2 + [(64, 2)] + [(64, 1)] * 2:
        y = norm(convolve(jax.nn.relu(norm(convolve(x, dims, 3, stride))), dims, 3, 1))
        x = jax.nn.relu(y + (x if stride == 1 else convolve(x, dims, 1, stride)))
    return hk.Linear(10)(jnp.mean(x, (1, 2)))


def lstm(x: Any) -> Any:
    cell = hk.LSTM(64)
    y, _ = hk.dynamic_unroll(cell, x.swapaxes(0, 1), cell.initial_state(x.shape[0]))
    return hk.Linear(10)(y[-1])


def transformer(x: Any) -> Any:
    for _ in range(4):
        y = layer_norm(x)
        attention = hk.MultiHeadAttention(
            4, 16, model_size=64, with_bias=False, w_init=hk.initializers.VarianceScaling()
        )
        x = x + attention(y, y, y)
        x = x + hk.Linear(64)(jax.nn.gelu(hk.Linear(256)(layer_norm(x))))
    return x


FORWARDS: dict[str, Callable[[Any], Any]] = {
    "W1": lambda x: hk.nets.MLP((16, 16, 1))(x),
    "W2": lambda x: hk.nets.MLP((256, 256, 10))(x),
    "W3": quick_start,
    "W4": lenet,
    "W5": resnet,
    "W6": lstm,
    "W7": transformer,
    "W8": lambda x: hk.nets.MLP((64,) * 200, activate_final=True)(x),
}


def make_step(case: str) -> Callable[[], Any]:
    """Return a function that takes one step, from the modules' own initial values."""
    model, x = hk.transform_with_state(FORWARDS[case[:2]]), put_channels_last(case)
    ps, st = jax.jit(model.init)(jax.random.key(0), x)
    return make_step_of(case, lambda ps, st, x: model.apply(ps, st, None, x), ps, st, x)
