"""Functions of each entry."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import array_api_compat.numpy as host
import numpy as np

from luxport_onnx.graph import SAMPLES, Array, constant, record
from luxport_onnx.xp._creation import full_like
from luxport_onnx.xp._folding import as_array, astype, broadcast_shapes, cast_through, folding, promoted, same

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "ceil",
    "clip",
    "conj",
    "copysign",
    "cos",
    "cosh",
    "divide",
    "equal",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "greater",
    "greater_equal",
    "hypot",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "positive",
    "pow",
    "real",
    "reciprocal",
    "remainder",
    "round",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "trunc",
    "where",
]


def _numbers(name: str, *xs: Array) -> tuple[Any, ...] | None:
    """Compute what a function of sizes is for each sample."""
    if any([x.numbers is None for x in xs]):
        return None
    f = getattr(host, name)
    return tuple([f(*[np.asarray(x.numbers[i]) for x in xs])[()] for i in range(SAMPLES)])


def lean(*xs: Array) -> tuple[Array, ...]:
    """Return arrays of one number as that number, where the others have the shape already."""
    wanted = broadcast_shapes(*xs)
    kept = list(xs)
    for i, x in enumerate(xs):
        if x.splat is None or x.ndim == 0:
            continue
        others = [kept[j] for j in range(len(kept)) if j != i]
        if broadcast_shapes(*others) == wanted:
            kept[i] = constant(np.asarray(x.splat, x.dtype))
    return tuple(kept)


def binary(name: str, operator: str, dtype: Any = None) -> Callable[..., Array]:
    """Return the function of two arrays that is one operator."""

    def function(x1: Any, x2: Any, /) -> Array:
        x1, x2 = promoted(x1, x2)
        shapes = broadcast_shapes(x1, x2)
        made = record(operator, *lean(x1, x2), dtype=dtype or x1.dtype, shapes=shapes)
        made.numbers = _numbers(name, x1, x2)
        if x1.splat is not None and x2.splat is not None:
            with np.errstate(all="ignore"):
                made.splat = getattr(host, name)(np.asarray(x1.splat), np.asarray(x2.splat))[()]
        return made

    function.__name__ = function.__qualname__ = name
    return folding(function)


def unary(name: str, operator: str, dtype: Any = None) -> Callable[..., Array]:
    """Return the function of one array that is one operator."""

    def function(x: Array, /) -> Array:
        made = record(operator, x, dtype=dtype or x.dtype, shapes=x.shapes)
        made.numbers = _numbers(name, x)
        return made

    function.__name__ = function.__qualname__ = name
    return folding(function)


def _floating(x: Array) -> bool:
    return x.dtype.kind == "f"


def _in_float(name: str, operator: str) -> Callable[..., Array]:
    """Return a function whose operator has no float64: it is computed in float32, unless others make it up."""

    def function(x: Array, /) -> Array:
        if x.dtype == np.float64 and operator in SINGLE_ONLY:
            if operator == "Tan":
                return divide(sin(x), cos(x))
            return cast_through(x, np.float32, lambda wide: same(operator, wide))
        return same(operator, x)

    function.__name__ = function.__qualname__ = name
    return folding(function)


SINGLE_ONLY = frozenset(["Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cosh", "Sinh", "Tan"])
"""Operators that onnxruntime has for float32 alone."""

multiply = binary("multiply", "Mul")
pow = binary("pow", "Pow")
maximum, minimum = binary("maximum", "Max"), binary("minimum", "Min")
logical_and, logical_or, logical_xor = (
    binary("logical_and", "And", np.bool_),
    binary("logical_or", "Or", np.bool_),
    binary("logical_xor", "Xor", np.bool_),
)
less, less_equal = binary("less", "Less", np.bool_), binary("less_equal", "LessOrEqual", np.bool_)
greater, greater_equal = (
    binary("greater", "Greater", np.bool_),
    binary("greater_equal", "GreaterOrEqual", np.bool_),
)
equal = binary("equal", "Equal", np.bool_)
exp, log, sqrt = _in_float("exp", "Exp"), _in_float("log", "Log"), _in_float("sqrt", "Sqrt")
sin, cos, tan = _in_float("sin", "Sin"), _in_float("cos", "Cos"), _in_float("tan", "Tan")
asin, acos, atan = _in_float("asin", "Asin"), _in_float("acos", "Acos"), _in_float("atan", "Atan")
sinh, cosh, tanh = _in_float("sinh", "Sinh"), _in_float("cosh", "Cosh"), _in_float("tanh", "Tanh")
asinh, acosh, atanh = _in_float("asinh", "Asinh"), _in_float("acosh", "Acosh"), _in_float("atanh", "Atanh")
abs, negative = unary("abs", "Abs"), unary("negative", "Neg")
sign = unary("sign", "Sign")
logical_not = unary("logical_not", "Not", np.bool_)
_add, _subtract, _divide = binary("add", "Add"), binary("subtract", "Sub"), binary("divide", "Div")
_floor, _ceil, _round = unary("floor", "Floor"), unary("ceil", "Ceil"), unary("round", "Round")


def add(x1: Any, x2: Any, /) -> Array:
    """Add; nothing for a 0 that is a number of Python."""
    return _add(x1, x2)


def subtract(x1: Any, x2: Any, /) -> Array:
    """Subtract."""
    return _subtract(x1, x2)


def divide(x1: Any, x2: Any, /) -> Array:
    """Divide; integers become floating."""
    x1, x2 = promoted(x1, x2)
    if not _floating(x1):
        x1, x2 = astype(x1, np.float64), astype(x2, np.float64)
    return _divide(x1, x2)


@folding
def not_equal(x1: Any, x2: Any, /) -> Array:
    """Tell where two differ."""
    return logical_not(equal(x1, x2))


@folding
def floor_divide(x1: Any, x2: Any, /) -> Array:
    """Divide and round down."""
    x1, x2 = promoted(x1, x2)
    if _floating(x1):
        return floor(_divide(x1, x2))
    made = _divide(_subtract(x1, remainder(x1, x2)), x2)
    made.numbers = _numbers("floor_divide", x1, x2)
    return made


@folding
def remainder(x1: Any, x2: Any, /) -> Array:
    """Return what is left of a division that is rounded down."""
    x1, x2 = promoted(x1, x2)
    if _floating(x1):
        return _subtract(x1, multiply(floor(_divide(x1, x2)), x2))
    made = record("Mod", *lean(x1, x2), dtype=x1.dtype, shapes=broadcast_shapes(x1, x2))
    made.numbers = _numbers("remainder", x1, x2)
    return made


@folding
def floor(x: Array, /) -> Array:
    """Round down."""
    return _floor(x) if _floating(x) else x


@folding
def ceil(x: Array, /) -> Array:
    """Round up."""
    return _ceil(x) if _floating(x) else x


@folding
def round(x: Array, /) -> Array:
    """Round to the nearest whole number, to the even one of two."""
    return _round(x) if _floating(x) else x


@folding
def trunc(x: Array, /) -> Array:
    """Round toward 0."""
    return multiply(sign(x), floor(abs(x))) if _floating(x) else x


@folding
def positive(x: Array, /) -> Array:
    """Return x."""
    return x


@folding
def real(x: Array, /) -> Array:
    """Return x: there are no complex numbers."""
    return x


@folding
def conj(x: Array, /) -> Array:
    """Return x: there are no complex numbers."""
    return x


@folding
def square(x: Array, /) -> Array:
    """Return x times x."""
    return multiply(x, x)


@folding
def reciprocal(x: Array, /) -> Array:
    """Return 1 / x."""
    return same("Reciprocal", x)


@folding
def isnan(x: Array, /) -> Array:
    """Tell which entries are no numbers."""
    return not_equal(x, x) if _floating(x) else _flags(x, False)


@folding
def isinf(x: Array, /) -> Array:
    """Tell which entries are infinite."""
    return equal(abs(x), np.inf) if _floating(x) else _flags(x, False)


@folding
def isfinite(x: Array, /) -> Array:
    """Tell which entries are numbers and not infinite."""
    return less(abs(x), np.inf) if _floating(x) else _flags(x, True)


@folding
def signbit(x: Array, /) -> Array:
    """Tell which entries have a minus sign, a 0 too."""
    zero = equal(x, 0)
    return less(where(zero, reciprocal(where(zero, x, 1)), x), 0)


@folding
def expm1(x: Array, /) -> Array:
    """Return ``exp(x) - 1``, to the last places near 0: it is ``tanh(x / 2) (exp(x) + 1)``."""
    return multiply(tanh(multiply(x, 0.5)), _add(exp(x), 1.0))


@folding
def log1p(x: Array, /) -> Array:
    """Return ``log(1 + x)``, to the last places near 0: the rounding of the sum is divided out."""
    total = _add(x, 1.0)
    lost = _subtract(total, 1.0)
    plain = logical_or(equal(lost, 0.0), equal(total, np.inf))
    exact = multiply(log(total), _divide(x, where(plain, 1.0, lost)))
    return where(equal(lost, 0.0), x, where(plain, total, exact))


@folding
def log2(x: Array, /) -> Array:
    """Return the logarithm to the base 2."""
    return multiply(log(x), 1 / math.log(2.0))


@folding
def log10(x: Array, /) -> Array:
    """Return the logarithm to the base 10."""
    return multiply(log(x), 1 / math.log(10.0))


@folding
def logaddexp(x1: Any, x2: Any, /) -> Array:
    """Return ``log(exp(x1) + exp(x2))``."""
    x1, x2 = promoted(x1, x2)
    top = maximum(x1, x2)
    return _add(top, log1p(exp(negative(abs(_subtract(x1, x2))))))


@folding
def hypot(x1: Any, x2: Any, /) -> Array:
    """Return the root of the sum of squares."""
    return sqrt(_add(square(x1), square(x2)))


@folding
def copysign(x1: Any, x2: Any, /) -> Array:
    """Return the first's size with the second's sign."""
    x1, x2 = promoted(x1, x2)
    return where(signbit(x2), negative(abs(x1)), abs(x1))


@folding
def where(condition: Array, x1: Any, x2: Any, /) -> Array:
    """Take entries of the first where the condition holds, else of the second."""
    x1, x2 = promoted(x1, x2)
    shapes = broadcast_shapes(condition, x1, x2)
    return record("Where", *lean(condition, x1, x2), dtype=x1.dtype, shapes=shapes)


@folding
def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """Keep entries between bounds."""
    bounds = [as_array(bound, x.dtype) for bound in (min, max) if bound is not None]
    if _floating(x) and len(bounds) == 2 and all([bound.ndim == 0 for bound in bounds]):
        return record("Clip", x, *[astype(bound, x.dtype) for bound in bounds], dtype=x.dtype, shapes=x.shapes)
    if min is not None:
        x = maximum(x, astype(as_array(min, x.dtype), x.dtype))
    return x if max is None else minimum(x, astype(as_array(max, x.dtype), x.dtype))


@folding
def bitwise_and(x1: Any, x2: Any, /) -> Array:
    """Combine bits."""
    return _bits("BitwiseAnd", "And", x1, x2)


@folding
def bitwise_or(x1: Any, x2: Any, /) -> Array:
    """Combine bits."""
    return _bits("BitwiseOr", "Or", x1, x2)


@folding
def bitwise_xor(x1: Any, x2: Any, /) -> Array:
    """Combine bits."""
    return _bits("BitwiseXor", "Xor", x1, x2)


@folding
def bitwise_invert(x: Array, /) -> Array:
    """Turn every bit."""
    return same("Not" if x.dtype == np.bool_ else "BitwiseNot", x)


@folding
def bitwise_left_shift(x1: Any, x2: Any, /) -> Array:
    """Multiply by a power of 2, without what goes beyond the dtype's bits."""
    return _shifted(x1, x2, "LEFT")


@folding
def bitwise_right_shift(x1: Any, x2: Any, /) -> Array:
    """Divide by a power of 2 and round down."""
    x1, x2 = promoted(x1, x2)
    if x1.dtype.kind == "u":
        return _shifted(x1, x2, "RIGHT")
    # Of a negative number the complement is shifted, and turned back.
    minus = less(x1, 0)
    shifted = _shifted(where(minus, bitwise_invert(x1), x1), x2, "RIGHT")
    return where(minus, bitwise_invert(shifted), shifted)


def _bits(operator: str, of_flags: str, x1: Any, x2: Any) -> Array:
    x1, x2 = promoted(x1, x2)
    chosen = of_flags if x1.dtype == np.bool_ else operator
    return record(chosen, *lean(x1, x2), dtype=x1.dtype, shapes=broadcast_shapes(x1, x2))


def _shifted(x1: Any, x2: Any, direction: str) -> Array:
    x1, x2 = promoted(x1, x2)
    # The operator takes unsigned numbers alone.
    kind = np.dtype(f"uint{8 * x1.dtype.itemsize}")
    inputs = lean(astype(x1, kind), astype(x2, kind))
    made = record("BitShift", *inputs, dtype=kind, shapes=broadcast_shapes(x1, x2), direction=direction)
    return astype(made, x1.dtype)


def _flags(x: Array, value: bool) -> Array:
    return full_like(x, value, dtype=np.bool_)


@folding
def atan2(x1: Any, x2: Any, /) -> Array:
    """Return the angle of the point (x2, x1)."""
    x1, x2 = promoted(x1, x2)
    steep = greater(abs(x1), abs(x2))
    under = where(steep, x1, x2)
    empty = equal(under, 0)
    ratio = _divide(where(steep, x2, x1), where(empty, 1, under))
    angle = atan(ratio)
    side = where(signbit(x1), -np.pi, np.pi)
    flat = where(signbit(x2), _add(angle, side), angle)
    return where(steep, _subtract(multiply(side, 0.5), angle), flat)
