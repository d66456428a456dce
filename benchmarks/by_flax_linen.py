"""The training steps by Flax linen modules and `optax.adam`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn  # type: ignore[import-not-found]

from benchmarks.with_optax import make_step_of, put_channels_last

__all__ = ["make_step"]

norm = partial(nn.BatchNorm, use_running_average=False, momentum=0.9, epsilon=1e-5)
convolution = partial(nn.Conv, use_bias=False)


class Mlp(nn.Module):
    sizes: Sequence[int]
    last: bool = False

    @nn.compact
    def __call__(self, x: Any) -> Any:
        for i, n in enumerate(self.sizes):
            x = nn.Dense(n)(x)
            x = nn.relu(x) if self.last or i + 1 < len(self.sizes) else x
        return x


class QuickStart(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = norm()(nn.tanh(nn.Dense(256)(norm()(x))))
        return nn.Dense(10)(nn.tanh(nn.Dense(1)(x)))


class LeNet(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        for n in (6, 16):
            x = nn.max_pool(nn.relu(nn.Conv(n, (5, 5), padding="VALID")(x)), (2, 2), (2, 2))
        return Mlp((120, 84, 10))(x.reshape(x.shape[0], -1))


class Block(nn.Module):
    dims: int
    stride: int

    @nn.compact
    def __call__(self, x: Any) -> Any:
        y = nn.relu(norm()(convolution(self.dims, (3, 3), self.stride, padding=1)(x)))
        y = norm()(convolution(self.dims, (3, 3), padding=1)(y))
        return nn.relu(y + (x if self.stride == 1 else convolution(self.dims, (1, 1), self.stride)(x)))


class ResNet(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.relu(norm()(convolution(16, (3, 3), padding=1)(x)))
        for dims, stride in [(16, 1)] * 3 + [(32, 2)] + [(32, 1)] * 2 + [(64, 2)] + [(64, 1)] * 2:
            x = Block(dims, stride)(x)
        return nn.Dense(10)(jnp.mean(x, (1, 2)))


class Lstm(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        return nn.Dense(10)(nn.RNN(nn.OptimizedLSTMCell(64))(x)[:, -1])


class Transformer(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        for _ in range(4):
            y = nn.LayerNorm(epsilon=1e-5)(x)
            x = x + nn.MultiHeadDotProductAttention(4, use_bias=False)(y)
            x = x + nn.Dense(64)(nn.gelu(nn.Dense(256)(nn.LayerNorm(epsilon=1e-5)(x))))
        return x


MODELS: dict[str, Callable[[], Any]] = {
    "W1": lambda: Mlp((16, 16, 1)),
    "W2": lambda: Mlp((256, 256, 10)),
    "W3": QuickStart,
    "W4": LeNet,
    "W5": ResNet,
    "W6": Lstm,
    "W7": Transformer,
    "W8": lambda: Mlp((64,) * 200, last=True),
}


def make_step(case: str) -> Callable[[], Any]:
    """Return a function that takes one step, from the modules' own initial values."""
    model, x = MODELS[case[:2]](), put_channels_last(case)
    variables: Any = jax.jit(model.init)(jax.random.key(0), x)

    def forward(ps: Any, st: Any, x: Any) -> Any:
        if not st:
            return model.apply({"params": ps}, x), st
        return model.apply({"params": ps, **st}, x, mutable=list(st))

    return make_step_of(case, forward, variables["params"], {k: v for k, v in variables.items() if k != "params"}, x)
