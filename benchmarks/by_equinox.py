"""The training steps by Equinox modules, which see one sample each, and `optax.adam`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from equinox import nn

from benchmarks.models import CASES
from benchmarks.with_optax import make_step_of

__all__ = ["make_step"]


class Keys:
    """Keys of JAX, one after the other."""

    def __init__(self) -> None:
        self.last = jax.random.key(0)

    def __call__(self) -> Any:
        self.last, key = jax.random.split(self.last)
        return key


def mlp(keys: Keys, *sizes: int, last: bool = False) -> Any:
    pairs = list(zip(sizes, sizes[1:], strict=False))
    hidden = [layer for n, m in pairs[:-1] for layer in (nn.Linear(n, m, key=keys()), nn.Lambda(jax.nn.relu))]
    return nn.Sequential([*hidden, nn.Linear(*pairs[-1], key=keys()), *[nn.Lambda(jax.nn.relu)] * last])


def norm(n: int) -> Any:
    return nn.BatchNorm(n, "batch", 1e-5, momentum=0.9, mode="batch")


def quick_start(keys: Keys) -> Any:
    return nn.Sequential(
        [
            *(norm(128), nn.Linear(128, 256, key=keys()), nn.Lambda(jnp.tanh), norm(256)),
            *(nn.Linear(256, 1, key=keys()), nn.Lambda(jnp.tanh), nn.Linear(1, 10, key=keys())),
        ]
    )


def lenet(keys: Keys) -> Any:
    return nn.Sequential(
        [
            *(nn.Conv2d(1, 6, 5, key=keys()), nn.Lambda(jax.nn.relu), nn.MaxPool2d(2, 2)),
            *(nn.Conv2d(6, 16, 5, key=keys()), nn.Lambda(jax.nn.relu), nn.MaxPool2d(2, 2)),
            *(nn.Lambda(jnp.ravel), mlp(keys, 256, 120, 84, 10)),
        ]
    )


def convolution(n: int, m: int, size: int, stride: int, keys: Keys) -> Any:
    return nn.Conv2d(n, m, size, stride, padding=size // 2, use_bias=False, key=keys())


class Block(nn.StatefulLayer):
    body: nn.Sequential
    shortcut: Any

    def __init__(self, n: int, m: int, stride: int, keys: Keys) -> None:
        self.body = nn.Sequential(
            [
                *(convolution(n, m, 3, stride, keys), norm(m), nn.Lambda(jax.nn.relu)),
                *(convolution(m, m, 3, 1, keys), norm(m)),
            ]
        )
        self.shortcut = nn.Identity() if stride == 1 else convolution(n, m, 1, stride, keys)

    def __call__(self, x: Any, state: Any, *, key: Any = None) -> Any:
        y, state = self.body(x, state)
        return jax.nn.relu(y + self.shortcut(x)), state


def resnet(keys: Keys) -> Any:
    sizes = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
    return nn.Sequential(
        [
            *(convolution(3, 16, 3, 1, keys), norm(16), nn.Lambda(jax.nn.relu)),
            *[Block(*size, keys) for size in sizes],
            *(nn.Lambda(lambda x: jnp.mean(x, (1, 2))), nn.Linear(64, 10, key=keys())),
        ]
    )


class Lstm(eqx.Module):
    cell: nn.LSTMCell
    head: nn.Linear

    def __init__(self, keys: Keys) -> None:
        self.cell, self.head = nn.LSTMCell(32, 64, key=keys()), nn.Linear(64, 10, key=keys())

    def __call__(self, x: Any, *, key: Any = None) -> Any:
        zeros = jnp.zeros(64)
        (h, _), _ = jax.lax.scan(lambda carry, x: (self.cell(x, carry), None), (zeros, zeros), x)
        return self.head(h)


class TransformerBlock(eqx.Module):
    one: nn.LayerNorm
    two: nn.LayerNorm
    attention: nn.MultiheadAttention
    wide: nn.Linear
    narrow: nn.Linear

    def __init__(self, keys: Keys) -> None:
        self.one, self.two = nn.LayerNorm(64), nn.LayerNorm(64)
        self.attention = nn.MultiheadAttention(4, 64, key=keys())
        self.wide, self.narrow = nn.Linear(64, 256, key=keys()), nn.Linear(256, 64, key=keys())

    def __call__(self, x: Any, *, key: Any = None) -> Any:
        y = jax.vmap(self.one)(x)
        x = x + self.attention(y, y, y)
        return x + jax.vmap(lambda x: self.narrow(jax.nn.gelu(self.wide(self.two(x)))))(x)


MODELS: dict[str, Callable[[Keys], Any]] = {
    "W1": lambda keys: mlp(keys, 4, 16, 16, 1),
    "W2": lambda keys: mlp(keys, 784, 256, 256, 10),
    "W3": quick_start,
    "W4": lenet,
    "W5": resnet,
    "W6": Lstm,
    "W7": lambda keys: nn.Sequential([TransformerBlock(keys) for _ in range(4)]),
    "W8": lambda keys: mlp(keys, *[64] * 201, last=True),
}


def make_step(case: str) -> Callable[[], Any]:
    """Return a function that takes one step, from the modules' own initial values."""
    model, st = nn.make_with_state(MODELS[case[:2]])(Keys())
    ps, rest = eqx.partition(model, eqx.is_inexact_array)
    stateful = case[:2] in ("W3", "W5")

    def forward(ps: Any, st: Any, x: Any) -> Any:
        model = eqx.combine(ps, rest)
        if not stateful:
            return jax.vmap(model)(x), st
        return jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, st)

    return make_step_of(case, forward, ps, st, CASES[case][2])
