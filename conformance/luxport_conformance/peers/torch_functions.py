"""PyTorch's own activation functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError
from luxport_conformance.peers.torch_tools import find_module, wrap_module

__all__ = ["FUNCTIONS"]


def _make_function_builder(name: str, /, renamed: dict[str, str] | None = None, **fixed: Any) -> Build:
    """Return a builder of PyTorch's module of this name; `renamed` gives luxport's options PyTorch's names."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        given = {str((renamed or {}).get(key, key)): value for key, value in options.items()}
        return wrap_module(find_module(name)(**given, **fixed))

    return build


def _make_axis_builder(name: str, default: int = -1) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        axis = options.get("axis", default)
        if not isinstance(axis, int):
            raise NoCounterpartError("goes along one axis")
        differences = () if np.isfinite(x).all() else ("infinity in softmax",)
        return replace(wrap_module(find_module(name)(dim=axis)), differences=differences)

    return build


def _build_log_sum_exp(options: Any, x: Any, st: Any) -> Counterpart:
    import torch

    axes = options.get("axis")
    axes = tuple(range(x.ndim)) if axes is None else axes
    return Counterpart(lambda x, ps: torch.logsumexp(x, axes, options.get("keepdims", False)))


def _build_threshold(options: Any, x: Any, st: Any) -> Counterpart:
    return wrap_module(find_module("Threshold")(options.get("theta", 1.0), 0.0))


def _make_pair_builder(name: str) -> Build:
    """Return a builder of the function of `torch` of this name, called with the arrays of x as separate arguments."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import torch

        function = getattr(torch, name)
        return Counterpart(lambda x, ps: function(*(x if isinstance(x, tuple) else (x,))))

    return build


def _build_grid_sample(options: Any, x: Any, st: Any) -> Counterpart:
    from torch.nn import functional

    mode = options.get("padding_mode", "zeros")
    return Counterpart(lambda x, ps: functional.grid_sample(*x, padding_mode=mode, align_corners=True))


def _make_padding_builder(mode: str) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        from torch.nn import functional

        padding = options["padding"]
        pairs = ((padding, padding),) * x.ndim if isinstance(padding, int) else padding
        flat = [size for pair in reversed(pairs) for size in pair]
        value = {"value": options.get("value", 0.0)} if mode == "constant" else {}
        return Counterpart(lambda x, ps: functional.pad(x, flat, mode, **value))

    return build


FUNCTIONS: dict[str, Build] = {
    "celu": _make_function_builder("CELU"),
    "elu": _make_function_builder("ELU"),
    "erf": _make_pair_builder("erf"),
    "gelu_erf": _make_function_builder("GELU"),
    "gelu_tanh": _make_function_builder("GELU", approximate="tanh"),
    "glu": _make_axis_builder("GLU"),
    "grid_sample": _build_grid_sample,
    "hardsigmoid": _make_function_builder("Hardsigmoid"),
    "hardswish": _make_function_builder("Hardswish"),
    "hardtanh": _make_function_builder("Hardtanh"),
    "leakyrelu": _make_function_builder("LeakyReLU", {"a": "negative_slope"}),
    "logsigmoid": _make_function_builder("LogSigmoid"),
    "logsoftmax": _make_axis_builder("LogSoftmax"),
    "logsumexp": _build_log_sum_exp,
    "mish": _make_function_builder("Mish"),
    "pad_circular": _make_padding_builder("circular"),
    "pad_constant": _make_padding_builder("constant"),
    "pad_edge": _make_padding_builder("replicate"),
    "pad_reflect": _make_padding_builder("reflect"),
    "relu": _make_function_builder("ReLU"),
    "relu6": _make_function_builder("ReLU6"),
    "selu": _make_function_builder("SELU"),
    "sigmoid": _make_function_builder("Sigmoid"),
    "softmax": _make_axis_builder("Softmax"),
    "softplus": _make_function_builder("Softplus"),
    "softshrink": _make_function_builder("Softshrink", {"lambda_": "lambd"}),
    "softsign": _make_function_builder("Softsign"),
    "swish": _make_function_builder("SiLU"),
    "tanh": _make_function_builder("Tanh"),
    "tanhshrink": _make_function_builder("Tanhshrink"),
    "thresholdrelu": _build_threshold,
    "xlogy": _make_pair_builder("xlogy"),
}
