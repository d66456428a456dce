"""The functions that a PEtab SciML graph may call, by PyTorch's names and with PyTorch's arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from luxport import ops
from luxport.backend import Array, namespace
from luxport.porting.torch.functions.shaping import flatten

__all__ = ["FUNCTIONS", "IGNORED", "flatten"]

IGNORED = frozenset({"_stacklevel", "inplace"})
"""Options that have no effect here: no function changes its input in place."""


def _make_function_along(function: Callable[..., Array]) -> Callable[..., Array]:
    def along(x: Array, dim: int = -1, dtype: None = None) -> Array:
        return function(x, axis=dim)

    return along


def elu(x: Array, alpha: float = 1.0) -> Array:
    """Return x, or alpha (exp(x) - 1) below 0."""
    return ops.elu(x, alpha=alpha)


def celu(x: Array, alpha: float = 1.0) -> Array:
    """Return x, or alpha (exp(x / alpha) - 1) below 0."""
    return ops.celu(x, alpha=alpha)


def gelu(x: Array, approximate: str = "none") -> Array:
    """Return GELU in its tanh approximation, whatever `approximate` is, as Lux.jl does.

    The reference outputs of the format come from Lux.jl; PyTorch's ``approximate="none"`` differs by less than 5e-4.
    """
    return ops.gelu_tanh(x)


def hardtanh(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """Return x, clipped to two bounds."""
    return namespace(x).clip(x, min_val, max_val)


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """Return x, or ``negative_slope x`` below 0."""
    return ops.leakyrelu(x, a=negative_slope)


def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """Return log(1 + exp(beta x)) / beta; where beta x is above the threshold, this equals x in float32."""
    return ops.softplus(x * beta) / beta


def cat(arrays: Sequence[Array], dim: int = 0) -> Array:
    """Join arrays along an axis."""
    return namespace(*arrays).concat(list(arrays), axis=dim)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "add": lambda x, other: x + other,
    "cat": cat,
    "celu": celu,
    "concat": cat,
    "div": lambda x, other: x / other,
    "elu": elu,
    "exp": lambda x: namespace(x).exp(x),
    "flatten": flatten,
    "gelu": gelu,
    "hardsigmoid": ops.hardsigmoid,
    "hardswish": ops.hardswish,
    "hardtanh": hardtanh,
    "leaky_relu": leaky_relu,
    "log": lambda x: namespace(x).log(x),
    "log_sigmoid": ops.logsigmoid,
    "log_softmax": _make_function_along(ops.logsoftmax),
    "logsigmoid": ops.logsigmoid,
    "mish": ops.mish,
    "mul": lambda x, other: x * other,
    "neg": lambda x: -x,
    "relu": ops.relu,
    "relu6": ops.relu6,
    "selu": ops.selu,
    "sigmoid": ops.sigmoid,
    "silu": ops.swish,
    "softmax": _make_function_along(ops.softmax),
    "softplus": softplus,
    "softsign": ops.softsign,
    "sub": lambda x, other: x - other,
    "tanh": ops.tanh,
    "tanhshrink": ops.tanhshrink,
    "truediv": lambda x, other: x / other,
}
