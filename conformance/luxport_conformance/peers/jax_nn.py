"""`jax.nn`: activation functions, attention and initializers, which Flax and others hand on as their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer

__all__ = ["FUNCTIONS", "INITIALIZERS", "JAX_NN"]


def _function(name: str, *differences: str, renamed: dict[str, str] | None = None, **defaults: Any) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import jax

        given = defaults | {str((renamed or {}).get(key, key)): value for key, value in options.items()}
        return Counterpart(lambda x, ps: getattr(jax.nn, name)(x, **given), differences=differences)

    return build


def _along(name: str) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import jax

        differences = () if np.isfinite(x).all() else ("infinity in softmax",)
        return Counterpart(
            lambda x, ps: getattr(jax.nn, name)(x, axis=options.get("axis", -1)), differences=differences
        )

    return build


def _attention(options: Any, x: Any, st: Any) -> Counterpart:
    import jax

    if set(options) - {"nheads"} or len(x) > 3:
        raise NoCounterpartError("is asked of queries, keys and values alone")
    heads = options.get("nheads", 1)

    def call(x: Any, ps: Any) -> Any:
        parts = [part.reshape(*part.shape[:2], heads, -1) for part in x]
        y = jax.nn.dot_product_attention(*parts)
        return y.reshape(*y.shape[:2], -1)

    return Counterpart(call)


FUNCTIONS: dict[str, Build] = {
    "celu": _function("celu"),
    "elu": _function("elu"),
    "gelu_erf": _function("gelu", approximate=False),
    "gelu_tanh": _function("gelu", "gelu by tanh", approximate=True),
    "glu": _along("glu"),
    "hardsigmoid": _function("hard_sigmoid"),
    "hardswish": _function("hard_swish"),
    "hardtanh": _function("hard_tanh"),
    "leakyrelu": _function("leaky_relu", renamed={"a": "negative_slope"}),
    "logsigmoid": _function("log_sigmoid"),
    "logsoftmax": _along("log_softmax"),
    "logsumexp": _function("logsumexp"),
    "mish": _function("mish"),
    "relu": _function("relu"),
    "relu6": _function("relu6"),
    "selu": _function("selu"),
    "sigmoid": _function("sigmoid"),
    "softmax": _along("softmax"),
    "softplus": _function("softplus"),
    "softsign": _function("soft_sign"),
    "swish": _function("silu"),
    "tanh": _function("tanh"),
}


def _initializer(name: str, *arguments: float, **options: Any) -> Callable[[tuple[int, ...], int], Any]:
    def draw(shape: tuple[int, ...], seed: int) -> Any:
        import jax

        return np.asarray(getattr(jax.nn.initializers, name)(*arguments, **options)(jax.random.key(seed), shape))

    return draw


INITIALIZERS: dict[str, Callable[[tuple[int, ...], int], Any]] = {
    "glorot_normal": _initializer("glorot_normal"),
    "glorot_uniform": _initializer("glorot_uniform"),
    "kaiming_normal": _initializer("he_normal"),
    "kaiming_uniform": _initializer("he_uniform"),
    "lecun_normal": _initializer("lecun_normal"),
    "lecun_uniform": _initializer("lecun_uniform"),
    "normal": _initializer("normal", 1.0),
    "orthogonal": _initializer("orthogonal"),
    "truncated_normal": _initializer("truncated_normal", 1.0),
    "uniform": _initializer("uniform", 1.0),
}

JAX_NN = Peer(
    name="jax.nn",
    backend="jax",
    modules=("jax",),
    packages=("jax", "jaxlib"),
    operations={**FUNCTIONS, "dot_product_attention": _attention},
    initializers=INITIALIZERS,
)
