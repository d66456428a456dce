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


def _log_sum_exp(options: Any, x: Any, st: Any) -> Counterpart:
    import torch

    axes = options.get("axis")
    axes = tuple(range(x.ndim)) if axes is None else axes
    return Counterpart(lambda x, ps: torch.logsumexp(x, axes, options.get("keepdims", False)))


def _threshold(options: Any, x: Any, st: Any) -> Counterpart:
    return called(module("Threshold")(options.get("theta", 1.0), 0.0))


def _pair(name: str) -> Build:
    """Build a function of `torch` that takes its arrays one by one."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import torch

        function = getattr(torch, name)
        return Counterpart(lambda x, ps: function(*(x if isinstance(x, tuple) else (x,))))

    return build


def _grid_sample(options: Any, x: Any, st: Any) -> Counterpart:
    from torch.nn import functional

    mode = options.get("padding_mode", "zeros")
    return Counterpart(lambda x, ps: functional.grid_sample(*x, padding_mode=mode, align_corners=True))


def _padded(mode: str) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        from torch.nn import functional

        padding = options["padding"]
        pairs = ((padding, padding),) * x.ndim if isinstance(padding, int) else padding
        flat = [size for pair in reversed(pairs) for size in pair]
        value = {"value": options.get("value", 0.0)} if mode == "constant" else {}
        return Counterpart(lambda x, ps: functional.pad(x, flat, mode, **value))

    return build


FUNCTIONS: dict[str, Build] = {
    "celu": _function("CELU"),
    "elu": _function("ELU"),
    "erf": _pair("erf"),
    "gelu_erf": _function("GELU"),
    "gelu_tanh": _function("GELU", approximate="tanh"),
    "glu": _along("GLU"),
    "grid_sample": _grid_sample,
    "hardsigmoid": _function("Hardsigmoid"),
    "hardswish": _function("Hardswish"),
    "hardtanh": _function("Hardtanh"),
    "leakyrelu": _function("LeakyReLU", {"a": "negative_slope"}),
    "logsigmoid": _function("LogSigmoid"),
    "logsoftmax": _along("LogSoftmax"),
    "logsumexp": _log_sum_exp,
    "mish": _function("Mish"),
    "pad_circular": _padded("circular"),
    "pad_constant": _padded("constant"),
    "pad_edge": _padded("replicate"),
    "pad_reflect": _padded("reflect"),
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
    "thresholdrelu": _threshold,
    "xlogy": _pair("xlogy"),
}
