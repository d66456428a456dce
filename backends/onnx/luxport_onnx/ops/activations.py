"""Activation functions that are operators of ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport import ops
from luxport_onnx.graph import Array, find_opset
from luxport_onnx.infinities import may_be_infinite
from luxport_onnx.xp import clip, maximum, minimum, multiply
from luxport_onnx.xp._folding import make_scalar, record_same

__all__ = [
    "celu",
    "elu",
    "erf",
    "gelu_erf",
    "gelu_tanh",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leakyrelu",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]


_WITH_DOUBLE = ("float16", "float32", "float64")


def _accept_native(
    op: Callable[..., Any], *, since: int = 0, kinds: tuple[str, ...] = ("float16", "float32")
) -> Callable[[Any], Callable[..., Any]]:
    """Call the definition for other dtypes, for constants, and where the opset is older than the operator.

    ThresholdedRelu and Shrink return 0 for NaN, so their functions have no override.
    """
    definition = ops.definition_of(op)

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def choose(x: Array, **options: Any) -> Any:
            native = x.dtype.name in kinds and not x.is_constant and find_opset() >= since
            return function(x, **options) if native else definition(x, **options)

        choose.__name__, choose.__doc__ = function.__name__, function.__doc__
        return choose

    return wrap


@_accept_native(ops.relu, kinds=_WITH_DOUBLE)
def relu(x: Array) -> Array:
    """Record one operator."""
    return record_same("Relu", x)


@_accept_native(ops.sigmoid, kinds=_WITH_DOUBLE)
def sigmoid(x: Array) -> Array:
    """Record one operator."""
    return record_same("Sigmoid", x)


@_accept_native(ops.tanh, kinds=_WITH_DOUBLE)
def tanh(x: Array) -> Array:
    """Record one operator."""
    return record_same("Tanh", x)


@_accept_native(ops.elu)
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """Record one operator."""
    return record_same("Elu", x, alpha=float(alpha))


@_accept_native(ops.celu, kinds=("float32",))
def celu(x: Array, *, alpha: float = 1.0) -> Array:
    """Record one operator."""
    return record_same("Celu", x, alpha=float(alpha))


@_accept_native(ops.selu)
def selu(x: Array) -> Array:
    """Record one operator."""
    return record_same("Selu", x)


@_accept_native(ops.leakyrelu)
def leakyrelu(x: Array, *, a: float = 0.01) -> Array:
    """Record one operator."""
    return record_same("LeakyRelu", x, alpha=float(a))


def _replace_infinity(x: Array) -> Array:
    """Raise x to at least -1000, where the functions are 0 in every dtype, if it may hold -inf."""
    return maximum(x, -1000.0) if may_be_infinite(x, -1) else x


@_accept_native(ops.hardsigmoid)
def hardsigmoid(x: Array) -> Array:
    """Record one operator."""
    return record_same("HardSigmoid", x, alpha=1 / 6, beta=0.5)


@_accept_native(ops.hardswish)
def hardswish(x: Array) -> Array:
    """Record one operator; it makes NaN of -inf."""
    return record_same("HardSwish", _replace_infinity(x))


@_accept_native(ops.softplus)
def softplus(x: Array) -> Array:
    """Record one operator."""
    return record_same("Softplus", x)


@_accept_native(ops.softsign)
def softsign(x: Array) -> Array:
    """Record one operator; it makes NaN of infinities, which are replaced by the largest finite numbers first."""
    if may_be_infinite(x) or may_be_infinite(x, -1):
        most = np.finfo(x.dtype).max
        x = maximum(minimum(x, make_scalar(most, x.dtype)), make_scalar(-most, x.dtype))
    return record_same("Softsign", x)


@_accept_native(ops.mish)
def mish(x: Array) -> Array:
    """Record one operator; it makes NaN of -inf."""
    return record_same("Mish", _replace_infinity(x))


@_accept_native(ops.gelu_erf, since=20)
def gelu_erf(x: Array) -> Array:
    """Record one operator; it makes NaN of -inf."""
    return record_same("Gelu", _replace_infinity(x))


@_accept_native(ops.gelu_tanh, since=20)
def gelu_tanh(x: Array) -> Array:
    """Record one operator; it makes NaN of -inf."""
    return record_same("Gelu", _replace_infinity(x), approximate="tanh")


@_accept_native(ops.swish)
def swish(x: Array) -> Array:
    """Record two operators; they make NaN of -inf."""
    x = _replace_infinity(x)
    return multiply(x, record_same("Sigmoid", x))


@_accept_native(ops.relu6, kinds=_WITH_DOUBLE)
def relu6(x: Array) -> Array:
    """Record one operator."""
    return clip(x, 0.0, 6.0)


@_accept_native(ops.hardtanh, kinds=_WITH_DOUBLE)
def hardtanh(x: Array) -> Array:
    """Record one operator."""
    return clip(x, -1.0, 1.0)


@_accept_native(ops.erf)
def erf(x: Array) -> Array:
    """Record one operator."""
    return record_same("Erf", x)
