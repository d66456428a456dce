"""`jax.nn`: activation functions, attention and initializers, which Flax and other libraries re-export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer

__all__ = ["FUNCTIONS", "INITIALIZERS", "JAX_NN"]


def _make_function_builder(
    name: str, *differences: str, renamed: dict[str, str] | None = None, **defaults: Any
) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import jax

        given = defaults | {str((renamed or {}).get(key, key)): value for key, value in options.items()}
        return Counterpart(lambda x, ps: getattr(jax.nn, name)(x, **given), differences=differences)

    return build


def _make_axis_builder(name: str) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import jax

        differences = () if np.isfinite(x).all() else ("infinity in softmax",)
        return Counterpart(
            lambda x, ps: getattr(jax.nn, name)(x, axis=options.get("axis", -1)), differences=differences
        )

    return build


def _build_attention(options: Any, x: Any, st: Any) -> Counterpart:
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
    **{
        name: _make_function_builder(name)
        for name in (*("celu", "elu", "logsumexp", "mish", "relu"), *("relu6", "selu", "sigmoid", "softplus", "tanh"))
    },
    "gelu_erf": _make_function_builder("gelu", approximate=False),
    "gelu_tanh": _make_function_builder("gelu", "gelu by tanh", approximate=True),
    "glu": _make_axis_builder("glu"),
    "hardsigmoid": _make_function_builder("hard_sigmoid"),
    "hardswish": _make_function_builder("hard_swish"),
    "hardtanh": _make_function_builder("hard_tanh"),
    "leakyrelu": _make_function_builder("leaky_relu", renamed={"a": "negative_slope"}),
    "logsigmoid": _make_function_builder("log_sigmoid"),
    "logsoftmax": _make_axis_builder("log_softmax"),
    "softmax": _make_axis_builder("softmax"),
    "softsign": _make_function_builder("soft_sign"),
    "swish": _make_function_builder("silu"),
}


def _make_initializer(name: str, *arguments: float, **options: Any) -> Callable[[tuple[int, ...], int], Any]:
    def draw(shape: tuple[int, ...], seed: int) -> Any:
        import jax

        return np.asarray(getattr(jax.nn.initializers, name)(*arguments, **options)(jax.random.key(seed), shape))

    return draw


INITIALIZERS: dict[str, Callable[[tuple[int, ...], int], Any]] = {
    "glorot_normal": _make_initializer("glorot_normal"),
    "glorot_uniform": _make_initializer("glorot_uniform"),
    "kaiming_normal": _make_initializer("he_normal"),
    "kaiming_uniform": _make_initializer("he_uniform"),
    "lecun_normal": _make_initializer("lecun_normal"),
    "lecun_uniform": _make_initializer("lecun_uniform"),
    "normal": _make_initializer("normal", 1.0),
    "orthogonal": _make_initializer("orthogonal"),
    "truncated_normal": _make_initializer("truncated_normal", 1.0),
    "uniform": _make_initializer("uniform", 1.0),
}

JAX_NN = Peer(
    name="jax.nn",
    backend="jax",
    modules=("jax",),
    packages=("jax", "jaxlib"),
    operations={**FUNCTIONS, "dot_product_attention": _build_attention},
    initializers=INITIALIZERS,
)
