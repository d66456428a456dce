"""Element-wise functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport_onnx.graph import Array, record
from luxport_onnx.xp._creation import full_like
from luxport_onnx.xp._elementwise_makers import (
    compute_numbers,
    drop_axes,
    is_floating,
    make_binary,
    make_identity,
    make_rounding,
    make_unary,
)
from luxport_onnx.xp._folding import astype, broadcast_shapes, fold_constants, make_array, promote_arrays, record_same

__all__ = [
    "abs", "add", "ceil", "clip", "conj", "copysign", "divide", "equal", "floor", "floor_divide", "greater",
    "greater_equal", "isfinite", "isinf", "isnan", "less", "less_equal", "logical_and", "logical_not", "logical_or",
    "logical_xor", "maximum", "minimum", "multiply", "negative", "not_equal", "positive", "pow", "real", "reciprocal",
    "remainder", "round", "sign", "signbit", "square", "subtract", "trunc", "where",
]  # fmt: skip


add = make_binary("add", "Add")
subtract = make_binary("subtract", "Sub")
multiply = make_binary("multiply", "Mul")
record_divide = make_binary("divide", "Div")
pow = make_binary("pow", "Pow")
maximum = make_binary("maximum", "Max")
minimum = make_binary("minimum", "Min")
logical_and = make_binary("logical_and", "And", np.bool_)
logical_or = make_binary("logical_or", "Or", np.bool_)
logical_xor = make_binary("logical_xor", "Xor", np.bool_)
less = make_binary("less", "Less", np.bool_)
less_equal = make_binary("less_equal", "LessOrEqual", np.bool_)
greater = make_binary("greater", "Greater", np.bool_)
greater_equal = make_binary("greater_equal", "GreaterOrEqual", np.bool_)
equal = make_binary("equal", "Equal", np.bool_)
abs = make_unary("abs", "Abs")
negative = make_unary("negative", "Neg")
sign = make_unary("sign", "Sign")
logical_not = make_unary("logical_not", "Not", np.bool_)
floor, ceil, round = make_rounding("floor", "Floor"), make_rounding("ceil", "Ceil"), make_rounding("round", "Round")
positive, real, conj = (
    make_identity("positive"),
    make_identity("real"),
    make_identity("conj"),
)  # there are no complex numbers


def divide(x1: Any, x2: Any, /) -> Array:
    """Divide; integers become floating."""
    x1, x2 = promote_arrays(x1, x2)
    if not is_floating(x1):
        x1, x2 = astype(x1, np.float64), astype(x2, np.float64)
    return record_divide(x1, x2)


@fold_constants
def not_equal(x1: Any, x2: Any, /) -> Array:
    """Tell where two differ."""
    return logical_not(equal(x1, x2))


@fold_constants
def floor_divide(x1: Any, x2: Any, /) -> Array:
    """Divide and round down."""
    x1, x2 = promote_arrays(x1, x2)
    if is_floating(x1):
        return floor(record_divide(x1, x2))
    made = record_divide(subtract(x1, remainder(x1, x2)), x2)
    made.numbers = compute_numbers("floor_divide", x1, x2)
    return made


@fold_constants
def remainder(x1: Any, x2: Any, /) -> Array:
    """Return the remainder of `floor_divide`, which has the sign of x2."""
    x1, x2 = promote_arrays(x1, x2)
    if is_floating(x1):
        return subtract(x1, multiply(floor(record_divide(x1, x2)), x2))
    made = record("Mod", *drop_axes(x1, x2), dtype=x1.dtype, shapes=broadcast_shapes(x1, x2))
    made.numbers = compute_numbers("remainder", x1, x2)
    return made


@fold_constants
def trunc(x: Array, /) -> Array:
    """Round toward 0."""
    return multiply(sign(x), floor(abs(x))) if is_floating(x) else x


@fold_constants
def square(x: Array, /) -> Array:
    """Return x times x."""
    return multiply(x, x)


@fold_constants
def reciprocal(x: Array, /) -> Array:
    """Return 1 / x."""
    return record_same("Reciprocal", x)


@fold_constants
def isnan(x: Array, /) -> Array:
    """Tell which entries are NaN."""
    return not_equal(x, x) if is_floating(x) else _make_flags(x, False)


@fold_constants
def isinf(x: Array, /) -> Array:
    """Tell which entries are infinite."""
    return equal(abs(x), np.inf) if is_floating(x) else _make_flags(x, False)


@fold_constants
def isfinite(x: Array, /) -> Array:
    """Tell which entries are neither NaN nor infinite."""
    return less(abs(x), np.inf) if is_floating(x) else _make_flags(x, True)


@fold_constants
def signbit(x: Array, /) -> Array:
    """Tell which entries have a minus sign, -0.0 too."""
    zero = equal(x, 0)
    return less(where(zero, reciprocal(where(zero, x, 1)), x), 0)


@fold_constants
def copysign(x1: Any, x2: Any, /) -> Array:
    """Return the magnitudes of x1 with the signs of x2."""
    x1, x2 = promote_arrays(x1, x2)
    return where(signbit(x2), negative(abs(x1)), abs(x1))


@fold_constants
def where(condition: Array, x1: Any, x2: Any, /) -> Array:
    """Take entries of the first where the condition holds, else of the second."""
    x1, x2 = promote_arrays(x1, x2)
    shapes = broadcast_shapes(condition, x1, x2)
    return record("Where", *drop_axes(condition, x1, x2), dtype=x1.dtype, shapes=shapes)


@fold_constants
def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """Keep entries between bounds."""
    bounds = [make_array(bound, x.dtype) for bound in (min, max) if bound is not None]
    if is_floating(x) and len(bounds) == 2 and all([bound.ndim == 0 for bound in bounds]):
        return record("Clip", x, *[astype(bound, x.dtype) for bound in bounds], dtype=x.dtype, shapes=x.shapes)
    if min is not None:
        x = maximum(x, astype(make_array(min, x.dtype), x.dtype))
    return x if max is None else minimum(x, astype(make_array(max, x.dtype), x.dtype))


def _make_flags(x: Array, value: bool) -> Array:
    return full_like(x, value, dtype=np.bool_)
