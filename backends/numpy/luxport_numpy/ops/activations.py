"""Activation functions by NumPy: one pass where the definition, which minds derivatives, takes several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport import ops
from luxport.ops import definition_of

__all__ = ["celu", "hardsigmoid", "hardswish", "hardtanh", "relu", "relu6"]


def _of_floats(op: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Leave every other dtype, conversions and refusals included, to the definition."""
    definition = definition_of(op)

    def wrap(fast: Callable[..., Any]) -> Callable[..., Any]:
        def function(x: Any, **options: Any) -> Any:
            return fast(x, **options) if x.dtype.kind == "f" else definition(x, **options)

        return function

    return wrap


@_of_floats(ops.celu)
def celu(x: Any, *, alpha: float = 1.0) -> Any:
    """The definition, whose quotient by a small alpha may overflow without harm."""
    with np.errstate(over="ignore"):
        return definition_of(ops.celu)(x, alpha=alpha)


@_of_floats(ops.relu)
def relu(x: Any) -> Any:
    """The larger one."""
    return np.maximum(x, 0)


@_of_floats(ops.relu6)
def relu6(x: Any) -> Any:
    """Between two bounds."""
    return np.clip(x, 0, 6)


@_of_floats(ops.hardtanh)
def hardtanh(x: Any) -> Any:
    """Between two bounds."""
    return np.clip(x, -1, 1)


@_of_floats(ops.hardsigmoid)
def hardsigmoid(x: Any) -> Any:
    """Between two bounds, scaled."""
    return np.clip(x + 3.0, 0, 6) / 6.0


@_of_floats(ops.hardswish)
def hardswish(x: Any) -> Any:
    """A product with what lies between two bounds, scaled."""
    return x * (np.clip(x + 3.0, 0, 6) / 6.0)
