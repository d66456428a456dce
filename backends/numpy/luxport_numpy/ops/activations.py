"""Activation functions by NumPy: one pass where the definition, which minds derivatives, takes several."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from luxport import ops
from luxport.backend.dtypes import in_single_or_double
from luxport.ops import definition_of

__all__ = [
    "celu",
    "gelu_erf",
    "gelu_sigmoid",
    "gelu_tanh",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "lisht",
    "mish",
    "relu",
    "relu6",
    "softsign",
    "swish",
]


def _accept_floats(op: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Leave every other dtype, conversions and refusals included, to the definition."""
    definition = definition_of(op)

    def wrap(fast: Callable[..., Any]) -> Callable[..., Any]:
        # What the library has takes what the definition does.
        @functools.wraps(fast if fast.__module__ == __name__ else definition)
        def function(x: Any, **options: Any) -> Any:
            return fast(x, **options) if x.dtype.kind == "f" else definition(x, **options)

        return function

    return wrap


@_accept_floats(ops.celu)
def celu(x: Any, *, alpha: float = 1.0) -> Any:
    """The definition, whose quotient by a small alpha may overflow without harm."""
    with np.errstate(over="ignore"):
        return definition_of(ops.celu)(x, alpha=alpha)


@_accept_floats(ops.relu)
def relu(x: Any) -> Any:
    """The larger one."""
    return np.maximum(x, 0)


@_accept_floats(ops.relu6)
def relu6(x: Any) -> Any:
    """Between two bounds."""
    return np.clip(x, 0, 6)


@_accept_floats(ops.hardtanh)
def hardtanh(x: Any) -> Any:
    """Between two bounds."""
    return np.clip(x, -1, 1)


@_accept_floats(ops.hardsigmoid)
def hardsigmoid(x: Any) -> Any:
    """Between two bounds, scaled."""
    return np.clip(x + 3.0, 0, 6) / 6.0


@_accept_floats(ops.hardswish)
def hardswish(x: Any) -> Any:
    """A product with what lies between two bounds, scaled."""
    return np.maximum(x, -3.0) * (np.clip(x + 3.0, 0, 6) / 6.0)


# Gates are 0 long before x is at the bounds below, which keep -inf from them.


@_accept_floats(ops.gelu_erf)
@in_single_or_double
def gelu_erf(x: Any) -> Any:
    """The formula."""
    return np.maximum(x, -30.0) * (0.5 * (1.0 + ops.erf(x * math.sqrt(0.5))))


@_accept_floats(ops.gelu_sigmoid)
@in_single_or_double
def gelu_sigmoid(x: Any) -> Any:
    """The formula, whose cube would overflow."""
    return np.maximum(x, -30.0) * ops.sigmoid(_cubic(x, math.sqrt(8 / math.pi)))


@_accept_floats(ops.gelu_tanh)
@in_single_or_double
def gelu_tanh(x: Any) -> Any:
    """The formula, whose cube would overflow."""
    return np.maximum(x, -30.0) * (0.5 * (1.0 + np.tanh(_cubic(x, math.sqrt(2 / math.pi)))))


@_accept_floats(ops.lisht)
def lisht(x: Any) -> Any:
    """A product."""
    return x * np.tanh(x)


@_accept_floats(ops.mish)
@in_single_or_double
def mish(x: Any) -> Any:
    """The formula."""
    return np.maximum(x, -750.0) * np.tanh(ops.softplus(x))


@_accept_floats(ops.softsign)
def softsign(x: Any) -> Any:
    """A quotient of finite numbers."""
    largest = np.finfo(x.dtype).max
    finite = np.clip(x, -largest, largest)
    return finite / (1.0 + np.abs(finite))


@_accept_floats(ops.swish)
def swish(x: Any) -> Any:
    """The formula."""
    return np.maximum(x, -750.0) * ops.sigmoid(x)


def _cubic(x: Any, scale: float) -> Any:
    near = np.clip(x, -30.0, 30.0)
    return near * (scale + (scale * 0.044715) * (near * near))
