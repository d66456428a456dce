"""Keras's own activation functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport_conformance.peers.counterpart import Build, Counterpart

__all__ = ["FUNCTIONS"]


def _make_activation_builder(name: str, /, renamed: dict[str, str] | None = None, **defaults: Any) -> Build:
    """Return Keras's function of this name, with luxport's options by their names there, and luxport's defaults."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import keras

        given = defaults | {str((renamed or {}).get(key, key)): value for key, value in options.items()}
        infinite = "softmax" in name and not np.isfinite(x).all()
        differences = ("infinity in softmax",) if infinite else ()
        return Counterpart(lambda x, ps: getattr(keras.activations, name)(x, **given), differences=differences)

    return build


FUNCTIONS: dict[str, Build] = {
    "celu": _make_activation_builder("celu"),
    "elu": _make_activation_builder("elu"),
    "gelu_erf": _make_activation_builder("gelu", approximate=False),
    "gelu_tanh": _make_activation_builder("gelu", approximate=True),
    "glu": _make_activation_builder("glu"),
    "hardsigmoid": _make_activation_builder("hard_sigmoid"),
    "hardswish": _make_activation_builder("hard_silu"),
    "hardtanh": _make_activation_builder("hard_tanh"),
    "leakyrelu": _make_activation_builder("leaky_relu", {"a": "negative_slope"}, negative_slope=0.01),
    "logsigmoid": _make_activation_builder("log_sigmoid"),
    "logsoftmax": _make_activation_builder("log_softmax"),
    "mish": _make_activation_builder("mish"),
    "relu": _make_activation_builder("relu"),
    "relu6": _make_activation_builder("relu6"),
    "selu": _make_activation_builder("selu"),
    "sigmoid": _make_activation_builder("sigmoid"),
    "softmax": _make_activation_builder("softmax"),
    "softplus": _make_activation_builder("softplus"),
    "softshrink": _make_activation_builder("soft_shrink", {"lambda_": "threshold"}),
    "softsign": _make_activation_builder("softsign"),
    "swish": _make_activation_builder("silu"),
    "tanh": _make_activation_builder("tanh"),
    "tanhshrink": _make_activation_builder("tanh_shrink"),
}
