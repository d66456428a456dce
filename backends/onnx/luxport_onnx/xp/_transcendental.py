"""Exponentials, logarithms and trigonometric functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from luxport_onnx.graph import Array
from luxport_onnx.xp._elementwise import (
    abs,
    add,
    divide,
    equal,
    greater,
    logical_or,
    maximum,
    multiply,
    negative,
    record_divide,
    signbit,
    square,
    subtract,
    where,
)
from luxport_onnx.xp._folding import cast_through, fold_constants, promote_arrays, record_same

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "exp", "expm1", "hypot", "log", "log10",
    "log1p", "log2", "logaddexp", "sin", "sinh", "sqrt", "tan", "tanh",
]  # fmt: skip


def _compute_in_float(name: str, operator: str) -> Callable[..., Array]:
    """Return a function of one operator; where that has no float64, it is computed in float32, tan from sin and cos."""

    def function(x: Array, /) -> Array:
        if x.dtype == np.float64 and operator in SINGLE_ONLY:
            if operator == "Tan":
                return divide(sin(x), cos(x))
            return cast_through(x, np.float32, lambda wide: record_same(operator, wide))
        return record_same(operator, x)

    return fold_constants(function, name)


SINGLE_ONLY = frozenset(["Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cosh", "Sinh", "Tan"])
"""Operators that onnxruntime has in float32 alone."""


exp = _compute_in_float("exp", "Exp")
log = _compute_in_float("log", "Log")
sqrt = _compute_in_float("sqrt", "Sqrt")
sin = _compute_in_float("sin", "Sin")
cos = _compute_in_float("cos", "Cos")
tan = _compute_in_float("tan", "Tan")
asin = _compute_in_float("asin", "Asin")
acos = _compute_in_float("acos", "Acos")
atan = _compute_in_float("atan", "Atan")
sinh = _compute_in_float("sinh", "Sinh")
cosh = _compute_in_float("cosh", "Cosh")
tanh = _compute_in_float("tanh", "Tanh")
asinh = _compute_in_float("asinh", "Asinh")
acosh = _compute_in_float("acosh", "Acosh")
atanh = _compute_in_float("atanh", "Atanh")


@fold_constants
def expm1(x: Array, /) -> Array:
    """Return ``exp(x) - 1``, exact near 0, as ``tanh(x / 2) (exp(x) + 1)``."""
    return multiply(tanh(multiply(x, 0.5)), add(exp(x), 1.0))


@fold_constants
def log1p(x: Array, /) -> Array:
    """Return ``log(1 + x)``, exact near 0: the rounding error of ``1 + x`` is divided out."""
    total = add(x, 1.0)
    lost = subtract(total, 1.0)
    plain = logical_or(equal(lost, 0.0), equal(total, np.inf))
    exact = multiply(log(total), record_divide(x, where(plain, 1.0, lost)))
    return where(equal(lost, 0.0), x, where(plain, total, exact))


@fold_constants
def log2(x: Array, /) -> Array:
    """Return the logarithm to the base 2."""
    return multiply(log(x), 1 / math.log(2.0))


@fold_constants
def log10(x: Array, /) -> Array:
    """Return the logarithm to the base 10."""
    return multiply(log(x), 1 / math.log(10.0))


@fold_constants
def logaddexp(x1: Any, x2: Any, /) -> Array:
    """Return ``log(exp(x1) + exp(x2))``."""
    x1, x2 = promote_arrays(x1, x2)
    top = maximum(x1, x2)
    return add(top, log1p(exp(negative(abs(subtract(x1, x2))))))


@fold_constants
def hypot(x1: Any, x2: Any, /) -> Array:
    """Return the root of the sum of squares."""
    return sqrt(add(square(x1), square(x2)))


@fold_constants
def atan2(x1: Any, x2: Any, /) -> Array:
    """Return the angle of the point (x2, x1)."""
    x1, x2 = promote_arrays(x1, x2)
    steep = greater(abs(x1), abs(x2))
    under = where(steep, x1, x2)
    empty = equal(under, 0)
    ratio = record_divide(where(steep, x2, x1), where(empty, 1, under))
    angle = atan(ratio)
    side = where(signbit(x1), -np.pi, np.pi)
    flat = where(signbit(x2), add(angle, side), angle)
    return where(steep, subtract(multiply(side, 0.5), angle), flat)
