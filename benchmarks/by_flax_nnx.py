"""The training steps by Flax nnx modules, `nnx.jit` and `nnx.Optimizer` of `optax.adam`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx  # type: ignore[import-not-found]

from benchmarks.models import CASES
from benchmarks.with_optax import find_loss, put_channels_last

__all__ = ["make_step"]

norm = partial(nnx.BatchNorm, momentum=0.9, epsilon=1e-5)


def mlp(rngs: Any, *sizes: int, last: bool = False) -> Any:
    pairs = list(zip(sizes, sizes[1:], strict=False))
    hidden = [layer for n, m in pairs[:-1] for layer in (nnx.Linear(n, m, rngs=rngs), nnx.relu)]
    return nnx.Sequential(*hidden, nnx.Linear(*pairs[-1], rngs=rngs), *[nnx.relu] * last)


def quick_start(rngs: Any) -> Any:
    return nnx.Sequential(
        *(norm(128, rngs=rngs), nnx.Linear(128, 256, rngs=rngs), nnx.tanh, norm(256, rngs=rngs)),
        *(nnx.Linear(256, 1, rngs=rngs), nnx.tanh, nnx.Linear(1, 10, rngs=rngs)),
    )


def convolution(n: int, m: int, size: int, stride: int, rngs: Any) -> Any:
    return nnx.Conv(n, m, (size, size), stride, padding=size // 2, use_bias=False, rngs=rngs)


def pool(x: Any) -> Any:
    return nnx.max_pool(x, (2, 2), (2, 2))


def lenet(rngs: Any) -> Any:
    return nnx.Sequential(
        *(nnx.Conv(1, 6, (5, 5), padding="VALID", rngs=rngs), nnx.relu, pool),
        *(nnx.Conv(6, 16, (5, 5), padding="VALID", rngs=rngs), nnx.relu, pool),
        *(lambda x: x.reshape(x.shape[0], -1), mlp(rngs, 256, 120, 84, 10)),
    )


class Block(nnx.Module):
    def __init__(self, n: int, m: int, stride: int, rngs: Any) -> None:
        self.one, self.two = convolution(n, m, 3, stride, rngs), convolution(m, m, 3, 1, rngs)
        self.norm_one, self.norm_two = norm(m, rngs=rngs), norm(m, rngs=rngs)
        self.shortcut = (lambda x: x) if stride == 1 else convolution(n, m, 1, stride, rngs)

    def __call__(self, x: Any) -> Any:
        y = nnx.relu(self.norm_one(self.one(x)))
        return nnx.relu(self.norm_two(self.two(y)) + self.shortcut(x))


def resnet(rngs: Any) -> Any:
    sizes = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
    return nnx.Sequential(
        *(convolution(3, 16, 3, 1, rngs), norm(16, rngs=rngs), nnx.relu),
        *[Block(*size, rngs) for size in sizes],
        *(lambda x: jnp.mean(x, (1, 2)), nnx.Linear(64, 10, rngs=rngs)),
    )


def lstm(rngs: Any) -> Any:
    cell = nnx.OptimizedLSTMCell(32, 64, rngs=rngs)
    return nnx.Sequential(nnx.RNN(cell, rngs=rngs), lambda y: y[:, -1], nnx.Linear(64, 10, rngs=rngs))


class TransformerBlock(nnx.Module):
    def __init__(self, rngs: Any) -> None:
        self.one, self.two = (nnx.LayerNorm(64, epsilon=1e-5, rngs=rngs) for _ in range(2))
        self.attention = nnx.MultiHeadAttention(4, 64, use_bias=False, decode=False, rngs=rngs)
        self.wide, self.narrow = nnx.Linear(64, 256, rngs=rngs), nnx.Linear(256, 64, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        x = x + self.attention(self.one(x))
        return x + self.narrow(nnx.gelu(self.wide(self.two(x))))


MODELS: dict[str, Callable[[Any], Any]] = {
    "W1": lambda rngs: mlp(rngs, 4, 16, 16, 1),
    "W2": lambda rngs: mlp(rngs, 784, 256, 256, 10),
    "W3": quick_start,
    "W4": lenet,
    "W5": resnet,
    "W6": lstm,
    "W7": lambda rngs: nnx.Sequential(*[TransformerBlock(rngs) for _ in range(4)]),
    "W8": lambda rngs: mlp(rngs, *[64] * 201, last=True),
}


def make_step(case: str) -> Callable[[], Any]:
    """Return a function that takes one step, from the modules' own initial values, and waits for it."""
    model, loss = MODELS[case[:2]](nnx.Rngs(0)), find_loss(case)
    optimizer = nnx.Optimizer(model, optax.adam(0.0001), wrt=nnx.Param)
    x, target = jnp.asarray(put_channels_last(case)), jnp.asarray(CASES[case][3])

    @partial(nnx.jit, donate_argnums=(0, 1))
    def program(model: Any, optimizer: Any, x: Any, target: Any) -> Any:
        value, grads = nnx.value_and_grad(lambda model: loss(model(x), target))(model)
        optimizer.update(model, grads)
        return value

    return lambda: jax.block_until_ready(program(model, optimizer, x, target))
