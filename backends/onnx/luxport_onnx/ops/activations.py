"""Activation functions that are operators of ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport import ops
from luxport.ops._floats_only import accept_floats
from luxport_onnx.graph import Array, find_opset
from luxport_onnx.infinities import may_be_infinite
from luxport_onnx.xp import clip, maximum, minimum, multiply
from luxport_onnx.xp._folding import make_scalar, record_same

__all__ = [
    "celu", "elu", "erf", "gelu_erf", "gelu_tanh", "hardsigmoid", "hardswish", "hardtanh", "leakyrelu", "mish", "relu",
    "relu6", "selu", "sigmoid", "softplus", "softsign", "swish", "tanh",
]  # fmt: skip


_SINGLE = ("float16", "float32")
_DOUBLE = (*_SINGLE, "float64")


def _accept_native(
    op: Callable[..., Any], *, since: int = 0, kinds: tuple[str, ...] = _SINGLE
) -> Callable[[Any], Callable[..., Any]]:
    """Call the definition for other dtypes, for constants, and where the opset is older than the operator.

    ThresholdedRelu and Shrink return 0 for NaN, so their functions have no override.
    """
    return accept_floats(op, lambda x: x.dtype.name in kinds and not x.is_constant and find_opset() >= since)


def _replace_infinity(x: Array) -> Array:
    """Raise x to at least -1000, where the functions are 0 in every dtype, if it may hold -inf."""
    return maximum(x, -1000.0) if may_be_infinite(x, -1) else x


def _record_one(
    op: Callable[..., Any],
    operator: str,
    *,
    since: int = 0,
    kinds: tuple[str, ...] = _SINGLE,
    breaks_at_infinity: bool = False,
    **attributes: Any,
) -> Callable[..., Any]:
    """Return an activation function that records one operator; if that breaks at -inf, on x of at least -1000."""

    def function(x: Array) -> Array:
        return record_same(operator, _replace_infinity(x) if breaks_at_infinity else x, **attributes)

    return _accept_native(op, since=since, kinds=kinds)(function)


relu = _record_one(ops.relu, "Relu", kinds=_DOUBLE)
sigmoid = _record_one(ops.sigmoid, "Sigmoid", kinds=_DOUBLE)
tanh = _record_one(ops.tanh, "Tanh", kinds=_DOUBLE)
selu = _record_one(ops.selu, "Selu")
hardsigmoid = _record_one(ops.hardsigmoid, "HardSigmoid", alpha=1 / 6, beta=0.5)
softplus = _record_one(ops.softplus, "Softplus")
erf = _record_one(ops.erf, "Erf")
hardswish = _record_one(ops.hardswish, "HardSwish", breaks_at_infinity=True)
mish = _record_one(ops.mish, "Mish", breaks_at_infinity=True)
gelu_erf = _record_one(ops.gelu_erf, "Gelu", since=20, breaks_at_infinity=True)
gelu_tanh = _record_one(ops.gelu_tanh, "Gelu", since=20, breaks_at_infinity=True, approximate="tanh")


@_accept_native(ops.elu)
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """Record one operator."""
    return record_same("Elu", x, alpha=float(alpha))


@_accept_native(ops.celu, kinds=("float32",))
def celu(x: Array, *, alpha: float = 1.0) -> Array:
    """Record one operator."""
    return record_same("Celu", x, alpha=float(alpha))


@_accept_native(ops.leakyrelu)
def leakyrelu(x: Array, *, a: float = 0.01) -> Array:
    """Record one operator."""
    return record_same("LeakyRelu", x, alpha=float(a))


@_accept_native(ops.softsign)
def softsign(x: Array) -> Array:
    """Record one operator; it makes NaN of infinities, which are replaced by the largest finite numbers first."""
    if may_be_infinite(x) or may_be_infinite(x, -1):
        most = np.finfo(x.dtype).max
        x = maximum(minimum(x, make_scalar(most, x.dtype)), make_scalar(-most, x.dtype))
    return record_same("Softsign", x)


@_accept_native(ops.swish)
def swish(x: Array) -> Array:
    """Record two operators, on x of at least -1000: their product would be NaN for -inf."""
    x = _replace_infinity(x)
    return multiply(x, record_same("Sigmoid", x))


@_accept_native(ops.relu6, kinds=_DOUBLE)
def relu6(x: Array) -> Array:
    """Record one operator."""
    return clip(x, 0.0, 6.0)


@_accept_native(ops.hardtanh, kinds=_DOUBLE)
def hardtanh(x: Array) -> Array:
    """Record one operator."""
    return clip(x, -1.0, 1.0)
