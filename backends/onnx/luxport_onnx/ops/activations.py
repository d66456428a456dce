"""Activation functions that are operators of ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport import ops
from luxport_onnx.graph import Array, opset
from luxport_onnx.xp import clip, multiply
from luxport_onnx.xp._folding import same

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
    "softshrink",
    "softsign",
    "swish",
    "tanh",
    "trelu",
]


def _native(op: Callable[..., Any], *, since: int = 0, double: bool = False) -> Callable[[Any], Callable[..., Any]]:
    """Leave to the definition what the operator is not for: other dtypes, constants, and an older opset.

    onnxruntime has some operators for float64 (`double`), most of them not.
    """
    definition = ops.definition_of(op)

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def choose(x: Array, **options: Any) -> Any:
            kinds = ("float16", "float32", "float64") if double else ("float16", "float32")
            native = x.dtype.name in kinds and not x.is_constant and opset() >= since
            return function(x, **options) if native else definition(x, **options)

        choose.__name__, choose.__doc__ = function.__name__, function.__doc__
        return choose

    return wrap


@_native(ops.relu, double=True)
def relu(x: Array) -> Array:
    """One operator."""
    return same("Relu", x)


@_native(ops.sigmoid, double=True)
def sigmoid(x: Array) -> Array:
    """One operator."""
    return same("Sigmoid", x)


@_native(ops.tanh, double=True)
def tanh(x: Array) -> Array:
    """One operator."""
    return same("Tanh", x)


@_native(ops.elu)
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """One operator."""
    return same("Elu", x, alpha=float(alpha))


@_native(ops.celu)
def celu(x: Array, *, alpha: float = 1.0) -> Array:
    """One operator."""
    return same("Celu", x, alpha=float(alpha))


@_native(ops.selu)
def selu(x: Array) -> Array:
    """One operator."""
    return same("Selu", x)


@_native(ops.leakyrelu)
def leakyrelu(x: Array, *, a: float = 0.01) -> Array:
    """One operator."""
    return same("LeakyRelu", x, alpha=float(a))


@_native(ops.hardsigmoid)
def hardsigmoid(x: Array) -> Array:
    """One operator."""
    return same("HardSigmoid", x, alpha=1 / 6, beta=0.5)


@_native(ops.hardswish)
def hardswish(x: Array) -> Array:
    """One operator."""
    return same("HardSwish", x)


@_native(ops.softplus)
def softplus(x: Array) -> Array:
    """One operator."""
    return same("Softplus", x)


@_native(ops.softsign)
def softsign(x: Array) -> Array:
    """One operator."""
    return same("Softsign", x)


@_native(ops.mish)
def mish(x: Array) -> Array:
    """One operator."""
    return same("Mish", x)


@_native(ops.gelu_erf, since=20)
def gelu_erf(x: Array) -> Array:
    """One operator."""
    return same("Gelu", x)


@_native(ops.gelu_tanh, since=20)
def gelu_tanh(x: Array) -> Array:
    """One operator."""
    return same("Gelu", x, approximate="tanh")


@_native(ops.trelu)
def trelu(x: Array, *, theta: float = 1) -> Array:
    """One operator."""
    return same("ThresholdedRelu", x, alpha=float(theta))


@_native(ops.softshrink)
def softshrink(x: Array, *, lambda_: float = 0.5) -> Array:
    """One operator."""
    return same("Shrink", x, lambd=float(lambda_), bias=float(lambda_))


@_native(ops.swish)
def swish(x: Array) -> Array:
    """Two operators."""
    return multiply(x, same("Sigmoid", x))


@_native(ops.relu6, double=True)
def relu6(x: Array) -> Array:
    """One operator."""
    return clip(x, 0.0, 6.0)


@_native(ops.hardtanh, double=True)
def hardtanh(x: Array) -> Array:
    """One operator."""
    return clip(x, -1.0, 1.0)


@_native(ops.erf)
def erf(x: Array) -> Array:
    """One operator."""
    return same("Erf", x)
