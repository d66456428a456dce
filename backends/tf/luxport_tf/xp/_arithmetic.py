"""Arithmetic, order and rounding."""

from __future__ import annotations

import tensorflow as tf

from ._arrays import Array, ArrayOrScalar, R, cast, make_tensor
from ._dtypes import ALL, COMPLEX, FLOATING, INTEGER, NUMERIC, REAL, REAL_FLOATING, UNSIGNED
from ._float_parts import copysign, imag, real
from ._kernels import Kernel, make_binary, make_unary, make_zero, return_same, set_for_each

__all__ = [
    "abs", "add", "ceil", "clip", "divide", "equal", "floor", "floor_divide", "greater", "greater_equal",
    "less", "less_equal", "maximum", "minimum", "multiply", "negative", "not_equal", "positive", "pow",
    "reciprocal", "remainder", "round", "sign", "square", "subtract", "trunc",
]  # fmt: skip


def _pow_unsigned(x, y):
    # Modulo 2**64, products of signed and of unsigned numbers have the same bits; the cast back keeps the low ones.
    return cast(R.Pow(x=cast(x, tf.int64), y=cast(y, tf.int64)), x.dtype)


def _floor_divide(x, y):
    # (x - x mod y) / y is whole up to rounding. A rounded x / y may be too large: 1. / .1 is 10., and 1. // .1 is 9.
    quotient = R.RealDiv(x=x, y=y)
    whole = R.Round(x=R.RealDiv(x=R.Sub(x=x, y=R.FloorMod(x=x, y=y)), y=y))
    whole = R.SelectV2(condition=R.Equal(x=whole, y=make_zero(x)), t=copysign(whole, quotient), e=whole)
    plain = R.LogicalAnd(x=R.IsFinite(x=x), y=R.LogicalAnd(x=R.IsFinite(x=y), y=R.NotEqual(x=y, y=make_zero(y))))
    return R.SelectV2(condition=plain, t=whole, e=quotient)


def _remainder(x, y):
    rest = R.FloorMod(x=x, y=y)
    # FloorMod(-0., 3.) is -0.; the standard wants the divisor's sign.
    return R.SelectV2(condition=R.Equal(x=rest, y=make_zero(x)), t=copysign(rest, y), e=rest)


def _sign_unsigned(x):
    return R.Cast(x=R.NotEqual(x=x, y=make_zero(x)), DstT=x.dtype)


add = make_binary("add", "``x1 + x2``.", R.AddV2, NUMERIC)
subtract = make_binary("subtract", "``x1 - x2``.", R.Sub, NUMERIC)
multiply = make_binary("multiply", "``x1 * x2``.", R.Mul, NUMERIC)
divide = make_binary("divide", "``x1 / x2``, of floating-point arrays.", R.RealDiv, FLOATING)
floor_divide = make_binary(
    "floor_divide",
    "The largest whole number up to ``x1 / x2``. At infinities it is the standard's: ``inf // 3`` is inf and "
    "``-1 // inf`` is -0, where NumPy and PyTorch have NaN and -1.",
    R.FloorDiv,
    REAL,
    **set_for_each(REAL_FLOATING, _floor_divide),
)
remainder = make_binary(
    "remainder",
    "What `floor_divide` leaves, with the sign of ``x2``.",
    R.FloorMod,
    REAL,
    **set_for_each(REAL_FLOATING, _remainder),
)
pow = make_binary("pow", "``x1 ** x2``.", R.Pow, NUMERIC, **set_for_each(UNSIGNED, _pow_unsigned))
negative = make_unary(
    "negative", "``-x``.", R.Neg, NUMERIC, **set_for_each(UNSIGNED, lambda x: R.Sub(x=make_zero(x), y=x))
)
positive = make_unary("positive", "``x``.", return_same, NUMERIC)
square = make_unary("square", "``x * x``.", R.Square, NUMERIC)
reciprocal = make_unary("reciprocal", "``1 / x``.", R.Reciprocal, FLOATING)
sign = make_unary(
    "sign",
    "-1, 0 or 1; ``x / abs(x)`` of complex numbers.",
    R.Sign,
    NUMERIC,
    **set_for_each(UNSIGNED, _sign_unsigned),
)
abs = make_unary(
    "abs", "The absolute value.", R.Abs, NUMERIC,
    **set_for_each(UNSIGNED, return_same),
    complex64=R.ComplexAbs, complex128=lambda x: R.ComplexAbs(x=x, Tout=tf.float64),
)  # fmt: skip


# Order. XLA's maximum and minimum ignore a NaN in one of their arguments.


def _extremum(kernel: Kernel):
    def apply(x, y):
        result = kernel(x=x, y=y)
        if tf.executing_eagerly():
            return result
        return R.SelectV2(condition=R.NotEqual(x=y, y=y), t=R.AddV2(x=x, y=y), e=result)

    return apply


maximum = make_binary(
    "maximum", "The larger; NaN if either is.", R.Maximum, REAL, **set_for_each(REAL_FLOATING, _extremum(R.Maximum))
)
minimum = make_binary(
    "minimum", "The smaller; NaN if either is.", R.Minimum, REAL, **set_for_each(REAL_FLOATING, _extremum(R.Minimum))
)
equal = make_binary("equal", "Where ``x1 == x2``.", R.Equal, ALL)
not_equal = make_binary("not_equal", "Where ``x1 != x2``.", R.NotEqual, ALL)
less = make_binary("less", "Where ``x1 < x2``.", R.Less, REAL)
less_equal = make_binary("less_equal", "Where ``x1 <= x2``.", R.LessEqual, REAL)
greater = make_binary("greater", "Where ``x1 > x2``.", R.Greater, REAL)
greater_equal = make_binary("greater_equal", "Where ``x1 >= x2``.", R.GreaterEqual, REAL)


def clip(x: Array, /, min: ArrayOrScalar | None = None, max: ArrayOrScalar | None = None) -> tf.Tensor:
    """Clip ``x`` to ``min`` and ``max``, which broadcast; None is no bound."""
    x = make_tensor(x)
    if x.dtype not in _REAL:
        raise TypeError(f"clip takes real numbers, got {x.dtype.name}")
    if min is not None:
        x = maximum(x, min)
    if max is not None:
        x = minimum(x, max)
    return x


_REAL = frozenset(REAL)


# Rounding


def _complex_round(x):
    return R.Complex(real=R.Round(x=real(x)), imag=R.Round(x=imag(x)), Tout=x.dtype)


def _trunc(x):
    return R.SelectV2(condition=R.Less(x=x, y=make_zero(x)), t=R.Ceil(x=x), e=R.Floor(x=x))


_INTEGERS_AS_THEY_ARE = set_for_each(INTEGER, return_same)
floor = make_unary("floor", "The largest whole number up to ``x``.", R.Floor, REAL_FLOATING, **_INTEGERS_AS_THEY_ARE)
ceil = make_unary("ceil", "The smallest whole number from ``x``.", R.Ceil, REAL_FLOATING, **_INTEGERS_AS_THEY_ARE)
trunc = make_unary("trunc", "``x`` without its fraction.", _trunc, REAL_FLOATING, **_INTEGERS_AS_THEY_ARE)
round = make_unary(
    "round", "The nearest whole number, halves to even.", R.Round, REAL_FLOATING,
    **_INTEGERS_AS_THEY_ARE, **set_for_each(COMPLEX, _complex_round),
)  # fmt: skip
