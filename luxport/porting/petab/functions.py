"""The functions that a graph may call, by PyTorch's names and with PyTorch's arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from luxport import ops
from luxport.backend import Array, namespace
from luxport.porting.torch.functions.shaping import flatten

__all__ = ["FUNCTIONS", "IGNORED", "flatten"]

IGNORED = frozenset({"_stacklevel", "inplace"})
"""Options without a meaning here: results never share memory with inputs that change."""


def _axis_option(function: Callable[..., Array]) -> Callable[..., Array]:
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
    """Return x times the normal distribution's share below it, by tanh, as Lux.jl does whatever is asked for.

    The reference outputs of the format are Lux's; PyTorch's own ``approximate="none"`` differs by less than 5e-4.
    """
    return ops.gelu_tanh(x)


def hardtanh(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """Return x between two bounds."""
    return namespace(x).clip(x, min_val, max_val)


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """Return x, or a fraction of it below 0."""
    return ops.leakyrelu(x, a=negative_slope)


def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """Return log(1 + exp(beta x)) / beta; above the threshold that is x to all digits of float32."""
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
    "log_softmax": _axis_option(ops.logsoftmax),
    "logsigmoid": ops.logsigmoid,
    "mish": ops.mish,
    "mul": lambda x, other: x * other,
    "neg": lambda x: -x,
    "relu": ops.relu,
    "relu6": ops.relu6,
    "selu": ops.selu,
    "sigmoid": ops.sigmoid,
    "silu": ops.swish,
    "softmax": _axis_option(ops.softmax),
    "softplus": softplus,
    "softsign": ops.softsign,
    "sub": lambda x, other: x - other,
    "tanh": ops.tanh,
    "tanhshrink": ops.tanhshrink,
    "truediv": lambda x, other: x / other,
}
