"""Element-wise functions: one table of kernels by dtype for each.

A dtype without a kernel in TensorFlow gets another type's kernel that gives the same bits, or is
left out of the table: then the function raises TypeError.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import tensorflow as tf

from ._arrays import R, cast, promote, tensor
from ._dtypes import (
    ALL,
    BITS_OF,
    BOOL,
    COMPLEX,
    FLOATING,
    INTEGER,
    NUMERIC,
    REAL,
    REAL_FLOATING,
    SIGNED_OF,
    UNSIGNED,
)  # fmt: skip

__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_invert",
    "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj", "copysign",
    "cos", "cosh", "divide", "equal", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal", "hypot",
    "imag", "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative",
    "nextafter", "not_equal", "positive", "pow", "real", "reciprocal", "remainder", "round", "sign", "signbit",
    "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc",
]  # fmt: skip

Kernel = Callable[..., tf.Tensor]
Table = dict[tf.DType, Kernel]


def _table(kernel: Kernel, dtypes: Iterable[tf.DType], **special: Kernel) -> Table:
    return {dtype: special.get(dtype.name, kernel) for dtype in dtypes} | {
        tf.as_dtype(name): other for name, other in special.items()
    }


def _refuse(name: str, dtype: tf.DType, kernels: Table):
    allowed = ", ".join(d.name for d in ALL if d in kernels)
    raise TypeError(f"{name} takes arrays of {allowed}; got {dtype.name}; convert with astype")


def _named(function: Callable, name: str, doc: str) -> Callable:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _unary(name: str, doc: str, kernel: Kernel, dtypes: Iterable[tf.DType], **special: Kernel):
    kernels = _table(kernel, dtypes, **special)

    def function(x, /) -> tf.Tensor:
        x = tensor(x)
        found = kernels.get(x.dtype)
        return found(x=x) if found is not None else _refuse(name, x.dtype, kernels)

    return _named(function, name, doc)


def _binary(name: str, doc: str, kernel: Kernel, dtypes: Iterable[tf.DType], **special: Kernel):
    kernels = _table(kernel, dtypes, **special)

    def function(x1, x2, /) -> tf.Tensor:
        x, y, dtype = promote(x1, x2)
        found = kernels.get(dtype)
        return found(x=x, y=y) if found is not None else _refuse(name, dtype, kernels)

    return _named(function, name, doc)


def _each(dtypes: Iterable[tf.DType], kernel: Kernel) -> dict[str, Kernel]:
    return {dtype.name: kernel for dtype in dtypes}


def _same(x):
    return x


def _zero(x):
    return tf.constant(0, x.dtype)


# Arithmetic


def _pow_unsigned(x, y):
    # Products modulo 2**64 do not depend on the sign bit's meaning; the cast back keeps the low bits.
    return cast(R.Pow(x=cast(x, tf.int64), y=cast(y, tf.int64)), x.dtype)


def _floor_divide(x, y):
    # The quotient without the remainder is whole but for rounding: floor(1. / .1) is 10, 1. // .1 is 9.
    quotient = R.RealDiv(x=x, y=y)
    whole = R.Round(x=R.RealDiv(x=R.Sub(x=x, y=R.FloorMod(x=x, y=y)), y=y))
    whole = R.SelectV2(condition=R.Equal(x=whole, y=_zero(x)), t=_copysign(whole, quotient), e=whole)
    plain = R.LogicalAnd(x=R.IsFinite(x=x), y=R.LogicalAnd(x=R.IsFinite(x=y), y=R.NotEqual(x=y, y=_zero(y))))
    return R.SelectV2(condition=plain, t=whole, e=quotient)


def _remainder(x, y):
    rest = R.FloorMod(x=x, y=y)
    # FloorMod(-0., 3.) is -0.; the standard wants the divisor's sign.
    return R.SelectV2(condition=R.Equal(x=rest, y=_zero(x)), t=copysign(rest, y), e=rest)


def _sign_unsigned(x):
    return R.Cast(x=R.NotEqual(x=x, y=_zero(x)), DstT=x.dtype)


add = _binary("add", "``x1 + x2``.", R.AddV2, NUMERIC)
subtract = _binary("subtract", "``x1 - x2``.", R.Sub, NUMERIC)
multiply = _binary("multiply", "``x1 * x2``.", R.Mul, NUMERIC)
divide = _binary("divide", "``x1 / x2``, of floating-point arrays.", R.RealDiv, FLOATING)
floor_divide = _binary(
    "floor_divide",
    "The largest whole number up to ``x1 / x2``.",
    R.FloorDiv,
    REAL,
    **_each(REAL_FLOATING, _floor_divide),
)
remainder = _binary(
    "remainder",
    "What `floor_divide` leaves, with the sign of ``x2``.",
    R.FloorMod,
    REAL,
    **_each(REAL_FLOATING, _remainder),
)
pow = _binary("pow", "``x1 ** x2``.", R.Pow, NUMERIC, **_each(UNSIGNED, _pow_unsigned))
negative = _unary("negative", "``-x``.", R.Neg, NUMERIC, **_each(UNSIGNED, lambda x: R.Sub(x=_zero(x), y=x)))
positive = _unary("positive", "``x``.", _same, NUMERIC)
square = _unary("square", "``x * x``.", R.Square, NUMERIC)
reciprocal = _unary("reciprocal", "``1 / x``.", R.Reciprocal, FLOATING)
sign = _unary(
    "sign",
    "-1, 0 or 1; ``x / abs(x)`` of complex numbers.",
    R.Sign,
    NUMERIC,
    **_each(UNSIGNED, _sign_unsigned),
)
abs = _unary(
    "abs", "The absolute value.", R.Abs, NUMERIC,
    **_each(UNSIGNED, _same), complex64=R.ComplexAbs, complex128=lambda x: R.ComplexAbs(x=x, Tout=tf.float64),
)  # fmt: skip


# Order. XLA's maximum and minimum lose a NaN in one of their arguments.


def _extremum(kernel: Kernel):
    def apply(x, y):
        result = kernel(x=x, y=y)
        if tf.executing_eagerly():
            return result
        return R.SelectV2(condition=R.NotEqual(x=y, y=y), t=R.AddV2(x=x, y=y), e=result)

    return apply


maximum = _binary(
    "maximum", "The larger; NaN if either is.", R.Maximum, REAL, **_each(REAL_FLOATING, _extremum(R.Maximum))
)
minimum = _binary(
    "minimum", "The smaller; NaN if either is.", R.Minimum, REAL, **_each(REAL_FLOATING, _extremum(R.Minimum))
)
equal = _binary("equal", "Where ``x1 == x2``.", R.Equal, ALL)
not_equal = _binary("not_equal", "Where ``x1 != x2``.", R.NotEqual, ALL)
less = _binary("less", "Where ``x1 < x2``.", R.Less, REAL)
less_equal = _binary("less_equal", "Where ``x1 <= x2``.", R.LessEqual, REAL)
greater = _binary("greater", "Where ``x1 > x2``.", R.Greater, REAL)
greater_equal = _binary("greater_equal", "Where ``x1 >= x2``.", R.GreaterEqual, REAL)


def clip(x, /, min=None, max=None):
    """``x`` held between ``min`` and ``max``, which broadcast; None is no bound."""
    x = tensor(x)
    if x.dtype not in _REAL:
        raise TypeError(f"clip takes real numbers, got {x.dtype.name}")
    if min is not None:
        x = maximum(x, min)
    if max is not None:
        x = minimum(x, max)
    return x


_REAL = frozenset(REAL)


# Logic and bits

logical_and = _binary("logical_and", "Where both are true.", R.LogicalAnd, BOOL)
logical_or = _binary("logical_or", "Where either is true.", R.LogicalOr, BOOL)
logical_xor = _binary("logical_xor", "Where exactly one is true.", R.NotEqual, BOOL)
logical_not = _unary("logical_not", "Where ``x`` is false.", R.LogicalNot, BOOL)
bitwise_and = _binary("bitwise_and", "``x1 & x2``.", R.BitwiseAnd, INTEGER, bool=R.LogicalAnd)
bitwise_or = _binary("bitwise_or", "``x1 | x2``.", R.BitwiseOr, INTEGER, bool=R.LogicalOr)
bitwise_xor = _binary("bitwise_xor", "``x1 ^ x2``.", R.BitwiseXor, INTEGER, bool=R.NotEqual)
bitwise_invert = _unary("bitwise_invert", "``~x``.", R.Invert, INTEGER, bool=R.LogicalNot)


def _shift(name: str, doc: str, kernel: Kernel, exhausted: Kernel):
    # TensorFlow shifts by at most the width less one (XLA does not); past the width, nothing is left.
    kernels = _table(kernel, INTEGER)

    def function(x1, x2, /) -> tf.Tensor:
        x, y, dtype = promote(x1, x2)
        if dtype not in kernels:
            _refuse(name, dtype, kernels)
        width = 8 * dtype.size
        if isinstance(x2, int):
            return kernel(x=x, y=y) if 0 <= x2 < width else exhausted(x, R.BroadcastArgs)
        within = R.Less(x=y, y=tf.constant(width, dtype))
        safe = R.SelectV2(condition=within, t=y, e=tf.constant(width - 1, dtype))
        return R.SelectV2(condition=within, t=kernel(x=x, y=safe), e=exhausted(x, None))

    return _named(function, name, doc)


def _nothing_left(x, _):
    return R.ZerosLike(x=x)


def _sign_left(x, _):
    return R.ZerosLike(x=x) if x.dtype in SIGNED_OF else R.RightShift(x=x, y=tf.constant(8 * x.dtype.size - 1, x.dtype))


bitwise_left_shift = _shift("bitwise_left_shift", "``x1 << x2``.", R.LeftShift, _nothing_left)
bitwise_right_shift = _shift("bitwise_right_shift", "``x1 >> x2``, keeping the sign.", R.RightShift, _sign_left)


# Rounding


def _complex_round(x):
    return R.Complex(real=R.Round(x=real(x)), imag=R.Round(x=imag(x)), Tout=x.dtype)


def _trunc(x):
    return R.SelectV2(condition=R.Less(x=x, y=_zero(x)), t=R.Ceil(x=x), e=R.Floor(x=x))


_INTEGERS_AS_THEY_ARE = _each(INTEGER, _same)
floor = _unary("floor", "The largest whole number up to ``x``.", R.Floor, REAL_FLOATING, **_INTEGERS_AS_THEY_ARE)
ceil = _unary("ceil", "The smallest whole number from ``x``.", R.Ceil, REAL_FLOATING, **_INTEGERS_AS_THEY_ARE)
trunc = _unary("trunc", "``x`` without its fraction.", _trunc, REAL_FLOATING, **_INTEGERS_AS_THEY_ARE)
round = _unary(
    "round", "The nearest whole number, halves to even.", R.Round, REAL_FLOATING,
    **_INTEGERS_AS_THEY_ARE, **_each(COMPLEX, _complex_round),
)  # fmt: skip


# Exponentials, logarithms, trigonometry


def _complex_expm1(x):
    power = R.Exp(x=x)  # right where the formula for the real part meets an infinity
    a, b = real(x), imag(x)
    half = R.Sin(x=R.Mul(x=b, y=tf.constant(0.5, b.dtype)))
    exact = 0.0 - 2 * R.Square(x=half) + R.Expm1(x=a) * R.Cos(x=b)
    plain = R.LogicalAnd(x=R.IsFinite(x=exact), y=R.IsFinite(x=real(power)))
    return R.Complex(real=tf.where(plain, exact, real(power) - 1), imag=imag(power), Tout=x.dtype)


def _complex_log(x):
    # Scaled to where the squares of the parts neither overflow nor vanish.
    a, b = real(x), imag(x)
    size = R.Maximum(x=R.Abs(x=a), y=R.Abs(x=b))
    exponent = 600 if x.dtype is tf.complex128 else 70
    huge = R.Greater(x=size, y=tf.constant(2.0 ** (exponent - 1), a.dtype))
    tiny = R.Less(x=size, y=tf.constant(2.0 ** (1 - exponent), a.dtype))
    shift = tf.where(huge, -exponent, tf.where(tiny, exponent, 0))
    scale = R.Pow(x=tf.constant(2, a.dtype), y=cast(shift, a.dtype))
    scaled = R.Log(x=R.Complex(real=a * scale, imag=b * scale, Tout=x.dtype))
    return R.Complex(real=real(scaled) - cast(shift, a.dtype) * math.log(2), imag=imag(scaled), Tout=x.dtype)


def _complex_log1p(x):
    a, b = real(x), imag(x)
    near = R.Less(x=R.Maximum(x=R.Abs(x=a), y=R.Abs(x=b)), y=tf.constant(0.5, a.dtype))
    far = _complex_log(R.Complex(real=a + 1, imag=b, Tout=x.dtype))
    safe_a, safe_b = (R.SelectV2(condition=near, t=part, e=_zero(part)) for part in (a, b))
    exact = 0.5 * R.Log1p(x=safe_a * (2 + safe_a) + R.Square(x=safe_b))
    return R.Complex(real=tf.where(near, exact, real(far)), imag=imag(far), Tout=x.dtype)


def _complex_tanh(x):
    a, b = real(x), imag(x)
    limit = R.Complex(real=R.Sign(x=a), imag=_copysign(R.ZerosLike(x=b), b), Tout=x.dtype)
    return R.SelectV2(condition=R.LogicalAnd(x=R.IsInf(x=a), y=R.IsFinite(x=b)), t=limit, e=R.Tanh(x=x))


exp = _unary("exp", "``e ** x``.", R.Exp, FLOATING)
expm1 = _unary("expm1", "``exp(x) - 1``, exact near 0.", R.Expm1, FLOATING, **_each(COMPLEX, _complex_expm1))
log = _unary("log", "The natural logarithm.", R.Log, FLOATING, **_each(COMPLEX, _complex_log))
log1p = _unary("log1p", "``log(1 + x)``, exact near 0.", R.Log1p, FLOATING, **_each(COMPLEX, _complex_log1p))


def _log_base(base: float):
    def apply(x):
        return R.Mul(x=log(x), y=tf.constant(1 / math.log(base), x.dtype))

    return apply


log2 = _unary("log2", "The logarithm to base 2.", _log_base(2), FLOATING)
log10 = _unary("log10", "The logarithm to base 10.", _log_base(10), FLOATING)
sqrt = _unary("sqrt", "The square root.", R.Sqrt, FLOATING)
sin = _unary("sin", "The sine.", R.Sin, FLOATING)
cos = _unary("cos", "The cosine.", R.Cos, FLOATING)
tan = _unary("tan", "The tangent.", R.Tan, FLOATING)
asin = _unary("asin", "The inverse sine.", R.Asin, FLOATING)
acos = _unary("acos", "The inverse cosine.", R.Acos, FLOATING)
atan = _unary("atan", "The inverse tangent.", R.Atan, FLOATING)
sinh = _unary("sinh", "The hyperbolic sine.", R.Sinh, FLOATING)
cosh = _unary("cosh", "The hyperbolic cosine.", R.Cosh, FLOATING)
tanh = _unary("tanh", "The hyperbolic tangent.", R.Tanh, FLOATING, **_each(COMPLEX, _complex_tanh))
asinh = _unary("asinh", "The inverse hyperbolic sine.", R.Asinh, FLOATING)
acosh = _unary("acosh", "The inverse hyperbolic cosine.", R.Acosh, FLOATING)
atanh = _unary("atanh", "The inverse hyperbolic tangent.", R.Atanh, FLOATING)
atan2 = _binary("atan2", "The angle of the point (x2, x1).", lambda x, y: R.Atan2(y=x, x=y), REAL_FLOATING)


def _logaddexp(x, y):
    larger, smaller = maximum(x, y), minimum(x, y)
    gap = R.Sub(x=smaller, y=larger)
    level = R.Equal(x=smaller, y=larger)  # among them two equal infinities, whose difference is NaN
    safe = R.SelectV2(condition=level, t=R.ZerosLike(x=gap), e=gap)
    return R.AddV2(x=larger, y=R.Log1p(x=R.Exp(x=safe)))


def _hypot(x, y):
    x, y = R.Abs(x=x), R.Abs(x=y)
    larger, smaller = maximum(x, y), minimum(x, y)
    plain = logical_and(R.Greater(x=larger, y=_zero(x)), R.IsFinite(x=larger))
    ratio = R.RealDiv(
        x=R.SelectV2(condition=plain, t=smaller, e=R.ZerosLike(x=smaller)),
        y=R.SelectV2(condition=plain, t=larger, e=R.OnesLike(x=larger)),
    )
    length = R.Mul(x=larger, y=R.Sqrt(x=R.AddV2(x=R.Square(x=ratio), y=tf.constant(1, x.dtype))))
    infinite = logical_or(R.IsInf(x=x), R.IsInf(x=y))
    return R.SelectV2(condition=infinite, t=tf.constant(math.inf, x.dtype), e=length)


logaddexp = _binary("logaddexp", "``log(exp(x1) + exp(x2))``, without overflow.", _logaddexp, REAL_FLOATING)
hypot = _binary("hypot", "``sqrt(x1**2 + x2**2)``, without overflow.", _hypot, REAL_FLOATING)


# Parts and bits of floating-point numbers

real = _unary(
    "real", "The real part.", _same, REAL_FLOATING,
    complex64=lambda x: R.Real(input=x), complex128=lambda x: R.Real(input=x, Tout=tf.float64),
)  # fmt: skip
imag = _unary(
    "imag", "The imaginary part.", R.ZerosLike, REAL_FLOATING,
    complex64=lambda x: R.Imag(input=x), complex128=lambda x: R.Imag(input=x, Tout=tf.float64),
)  # fmt: skip
conj = _unary("conj", "The complex conjugate.", _same, NUMERIC, **_each(COMPLEX, lambda x: R.Conj(input=x)))


def _all_false(x):
    return R.ZerosLike(x=R.Equal(x=x, y=x))


def _all_true(x):
    return R.OnesLike(x=R.Equal(x=x, y=x))


isnan = _unary(
    "isnan", "Where ``x`` is NaN.", R.IsNan, REAL_FLOATING,
    **_each(INTEGER, _all_false), **_each(COMPLEX, lambda x: R.NotEqual(x=x, y=x)),
)  # fmt: skip
isinf = _unary(
    "isinf", "Where ``x`` is infinite.", R.IsInf, REAL_FLOATING, **_each(INTEGER, _all_false),
    **_each(COMPLEX, lambda x: R.LogicalOr(x=R.IsInf(x=real(x)), y=R.IsInf(x=imag(x)))),
)  # fmt: skip
isfinite = _unary(
    "isfinite", "Where ``x`` is neither NaN nor infinite.", R.IsFinite, REAL_FLOATING, **_each(INTEGER, _all_true),
    **_each(COMPLEX, lambda x: R.LogicalAnd(x=R.IsFinite(x=real(x)), y=R.IsFinite(x=imag(x)))),
)  # fmt: skip


def _signbit(x):
    bits = R.Bitcast(input=x, type=BITS_OF[x.dtype])
    return R.Less(x=bits, y=_zero(bits))


signbit = _unary("signbit", "Where the sign bit is set: of -0. too.", _signbit, REAL_FLOATING)


def _copysign(x, y):
    return R.SelectV2(condition=R.NotEqual(x=_signbit(x), y=_signbit(y)), t=R.Neg(x=x), e=x)


copysign = _binary("copysign", "The magnitude of ``x1`` with the sign of ``x2``.", _copysign, REAL_FLOATING)


def _nextafter_half(x, y):
    bits = cast(R.Bitcast(input=x, type=tf.int16), tf.int32)
    away = R.Equal(x=R.Less(x=x, y=y), y=R.GreaterEqual(x=bits, y=_zero(bits)))  # away from zero: bits grow
    stepped = bits + tf.where(away, 1, -1)
    # From either zero the next is the smallest subnormal with the sign of y.
    stepped = tf.where(R.Equal(x=x, y=_zero(x)), tf.where(R.Less(x=y, y=_zero(y)), -32767, 1), stepped)
    moved = R.Bitcast(input=cast(stepped, tf.int16), type=x.dtype)
    result = R.SelectV2(condition=R.Equal(x=x, y=y), t=y, e=moved)
    return R.SelectV2(condition=R.LogicalOr(x=isnan(x), y=isnan(y)), t=R.AddV2(x=x, y=y), e=result)


nextafter = _binary(
    "nextafter", "The next number from ``x1`` towards ``x2``.", lambda x, y: R.NextAfter(x1=x, x2=y), REAL_FLOATING,
    float16=_nextafter_half, bfloat16=_nextafter_half,
)  # fmt: skip
