"""Keras's own activation functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport_conformance.peers.counterpart import Build, Counterpart

__all__ = ["FUNCTIONS"]


def _make_activation_builder(name: str, /, renamed: dict[str, str] | None = None, **defaults: Any) -> Build:
    """Return a builder of Keras's activation of this name, called with luxport's options and defaults.

    `renamed` gives luxport's options Keras's names.
    """

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import keras

        given = defaults | {str((renamed or {}).get(key, key)): value for key, value in options.items()}
        infinite = "softmax" in name and not np.isfinite(x).all()
        differences = ("infinity in softmax",) if infinite else ()
        return Counterpart(lambda x, ps: getattr(keras.activations, name)(x, **given), differences=differences)

    return build


FUNCTIONS: dict[str, Build] = {
    **{
        name: _make_activation_builder(name)
        for name in (
            *("celu", "elu", "glu", "mish", "relu", "relu6"),
            *("selu", "sigmoid", "softmax", "softplus", "softsign", "tanh"),
        )
    },
    "gelu_erf": _make_activation_builder("gelu", approximate=False),
    "gelu_tanh": _make_activation_builder("gelu", approximate=True),
    "hardsigmoid": _make_activation_builder("hard_sigmoid"),
    "hardswish": _make_activation_builder("hard_silu"),
    "hardtanh": _make_activation_builder("hard_tanh"),
    "leakyrelu": _make_activation_builder("leaky_relu", {"a": "negative_slope"}, negative_slope=0.01),
    "logsigmoid": _make_activation_builder("log_sigmoid"),
    "logsoftmax": _make_activation_builder("log_softmax"),
    "softshrink": _make_activation_builder("soft_shrink", {"lambda_": "threshold"}),
    "swish": _make_activation_builder("silu"),
    "tanhshrink": _make_activation_builder("tanh_shrink"),
}
