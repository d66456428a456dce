"""PyTorch's own activation functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError
from luxport_conformance.peers.torch_tools import called, module

__all__ = ["FUNCTIONS"]


def _function(name: str, /, renamed: dict[str, str] | None = None, **fixed: Any) -> Build:
    """Build a module of an activation function from the options of luxport's, by their names there."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        given = {str((renamed or {}).get(key, key)): value for key, value in options.items()}
        return called(module(name)(**given, **fixed))

    return build


def _along(name: str, default: int = -1) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        axis = options.get("axis", default)
        if not isinstance(axis, int):
            raise NoCounterpartError("goes along one axis")
        differences = () if np.isfinite(x).all() else ("infinity in softmax",)
        return replace(called(module(name)(dim=axis)), differences=differences)

    return build


FUNCTIONS: dict[str, Build] = {
    "celu": _function("CELU"),
    "elu": _function("ELU"),
    "gelu_erf": _function("GELU"),
    "gelu_tanh": _function("GELU", approximate="tanh"),
    "glu": _along("GLU"),
    "hardsigmoid": _function("Hardsigmoid"),
    "hardswish": _function("Hardswish"),
    "hardtanh": _function("Hardtanh"),
    "leakyrelu": _function("LeakyReLU", {"a": "negative_slope"}),
    "logsigmoid": _function("LogSigmoid"),
    "logsoftmax": _along("LogSoftmax"),
    "mish": _function("Mish"),
    "relu": _function("ReLU"),
    "relu6": _function("ReLU6"),
    "selu": _function("SELU"),
    "sigmoid": _function("Sigmoid"),
    "softmax": _along("Softmax"),
    "softplus": _function("Softplus"),
    "softshrink": _function("Softshrink", {"lambda_": "lambd"}),
    "softsign": _function("Softsign"),
    "swish": _function("SiLU"),
    "tanh": _function("Tanh"),
    "tanhshrink": _function("Tanhshrink"),
}
