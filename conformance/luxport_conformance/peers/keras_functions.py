"""Keras's own activation functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport_conformance.peers.counterpart import Build, Counterpart

__all__ = ["FUNCTIONS"]


def _activation(name: str, /, renamed: dict[str, str] | None = None, **defaults: Any) -> Build:
    """Return Keras's function of this name, with luxport's options by their names there, and luxport's defaults."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import keras

        given = defaults | {str((renamed or {}).get(key, key)): value for key, value in options.items()}
        infinite = "softmax" in name and not np.isfinite(x).all()
        differences = ("infinity in softmax",) if infinite else ()
        return Counterpart(lambda x, ps: getattr(keras.activations, name)(x, **given), differences=differences)

    return build


FUNCTIONS: dict[str, Build] = {
    "celu": _activation("celu"),
    "elu": _activation("elu"),
    "gelu_erf": _activation("gelu", approximate=False),
    "gelu_tanh": _activation("gelu", approximate=True),
    "glu": _activation("glu"),
    "hardsigmoid": _activation("hard_sigmoid"),
    "hardswish": _activation("hard_silu"),
    "hardtanh": _activation("hard_tanh"),
    "leakyrelu": _activation("leaky_relu", {"a": "negative_slope"}, negative_slope=0.01),
    "logsigmoid": _activation("log_sigmoid"),
    "logsoftmax": _activation("log_softmax"),
    "mish": _activation("mish"),
    "relu": _activation("relu"),
    "relu6": _activation("relu6"),
    "selu": _activation("selu"),
    "sigmoid": _activation("sigmoid"),
    "softmax": _activation("softmax"),
    "softplus": _activation("softplus"),
    "softshrink": _activation("soft_shrink", {"lambda_": "threshold"}),
    "softsign": _activation("softsign"),
    "swish": _activation("silu"),
    "tanh": _activation("tanh"),
    "tanhshrink": _activation("tanh_shrink"),
}
