"""NumPy's overrides of activations: fewer passes than the definitions, as derivatives need not be right."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from luxport import ops
from luxport.backend.dtypes import run_wide
from luxport.ops import definition_of
from luxport.ops._floats_only import accept_floats

__all__ = [
    "celu", "gelu_erf", "gelu_sigmoid", "gelu_tanh", "hardsigmoid", "hardswish", "hardtanh", "lisht", "mish", "relu",
    "relu6", "softsign", "swish",
]  # fmt: skip


def _is_floating(x: Any) -> bool:
    return x.dtype.kind == "f"


@accept_floats(ops.celu, _is_floating)
def celu(x: Any, *, alpha: float = 1.0) -> Any:
    """Call the definition without NumPy's warnings: x / alpha may overflow, which does not change the result."""
    with np.errstate(over="ignore"):
        return definition_of(ops.celu)(x, alpha=alpha)


@accept_floats(ops.relu, _is_floating)
def relu(x: Any) -> Any:
    """Compute max(x, 0)."""
    return np.maximum(x, 0)


@accept_floats(ops.relu6, _is_floating)
def relu6(x: Any) -> Any:
    """Clip x between two bounds."""
    return np.clip(x, 0, 6)


@accept_floats(ops.hardtanh, _is_floating)
def hardtanh(x: Any) -> Any:
    """Clip x between two bounds."""
    return np.clip(x, -1, 1)


@accept_floats(ops.hardsigmoid, _is_floating)
def hardsigmoid(x: Any) -> Any:
    """Compute min(max(x + 3, 0), 6) / 6."""
    return np.clip(x + 3.0, 0, 6) / 6.0


@accept_floats(ops.hardswish, _is_floating)
def hardswish(x: Any) -> Any:
    """Compute x min(max(x + 3, 0), 6) / 6; x is bounded below, as -inf times 0 would be NaN."""
    return np.maximum(x, -3.0) * (np.clip(x + 3.0, 0, 6) / 6.0)


# The functions below are x times a gate. At the lower bounds of x the gate is 0; without them -inf would give NaN.


@accept_floats(ops.gelu_erf, _is_floating)
@run_wide
def gelu_erf(x: Any) -> Any:
    """Compute the formula."""
    return np.maximum(x, -30.0) * (0.5 * (1.0 + ops.erf(x * math.sqrt(0.5))))


@accept_floats(ops.gelu_sigmoid, _is_floating)
@run_wide
def gelu_sigmoid(x: Any) -> Any:
    """Compute the formula for x within bounds, beyond which its cube would overflow."""
    return np.maximum(x, -30.0) * ops.sigmoid(_compute_cubic(x, math.sqrt(8 / math.pi)))


@accept_floats(ops.gelu_tanh, _is_floating)
@run_wide
def gelu_tanh(x: Any) -> Any:
    """Compute the formula for x within bounds, beyond which its cube would overflow."""
    return np.maximum(x, -30.0) * (0.5 * (1.0 + np.tanh(_compute_cubic(x, math.sqrt(2 / math.pi)))))


@accept_floats(ops.lisht, _is_floating)
def lisht(x: Any) -> Any:
    """Compute x tanh(x)."""
    return x * np.tanh(x)


@accept_floats(ops.mish, _is_floating)
@run_wide
def mish(x: Any) -> Any:
    """Compute the formula."""
    return np.maximum(x, -750.0) * np.tanh(ops.softplus(x))


@accept_floats(ops.softsign, _is_floating)
def softsign(x: Any) -> Any:
    """Compute x / (1 + abs(x)), with x clipped to finite numbers, as inf / inf would be NaN."""
    largest = np.finfo(x.dtype).max
    finite = np.clip(x, -largest, largest)
    return finite / (1.0 + np.abs(finite))


@accept_floats(ops.swish, _is_floating)
def swish(x: Any) -> Any:
    """Compute the formula."""
    return np.maximum(x, -750.0) * ops.sigmoid(x)


def _compute_cubic(x: Any, scale: float) -> Any:
    near = np.clip(x, -30.0, 30.0)
    return near * (scale + (scale * 0.044715) * (near * near))
