"""Exponentials, logarithms, trigonometric and hyperbolic functions."""

from __future__ import annotations

import math

import tensorflow as tf

from ._arithmetic import maximum, minimum
from ._arrays import R, cast
from ._dtypes import COMPLEX, FLOATING, REAL_FLOATING
from ._float_parts import copysign, imag, real
from ._kernels import make_binary, make_unary, make_zero, set_for_each
from ._logic import logical_and, logical_or

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "exp", "expm1", "hypot", "log",
    "log10", "log1p", "log2", "logaddexp", "sin", "sinh", "sqrt", "tan", "tanh",
]  # fmt: skip


def _complex_expm1(x):
    power = R.Exp(x=x)  # which is right where an infinity makes the formula for the real part NaN
    a, b = real(x), imag(x)
    half = R.Sin(x=R.Mul(x=b, y=tf.constant(0.5, b.dtype)))
    exact = 0.0 - 2 * R.Square(x=half) + R.Expm1(x=a) * R.Cos(x=b)
    plain = R.LogicalAnd(x=R.IsFinite(x=exact), y=R.IsFinite(x=real(power)))
    return R.Complex(real=tf.where(plain, exact, real(power) - 1), imag=imag(power), Tout=x.dtype)


def _complex_log(x):
    # Scaled to where the squares of the parts neither overflow nor vanish.
    a, b = real(x), imag(x)
    size = R.Maximum(x=R.Abs(x=a), y=R.Abs(x=b))
    exponent, bound = (600, 2.0**400) if x.dtype is tf.complex128 else (70, 2.0**46)
    huge = R.Greater(x=size, y=tf.constant(bound, a.dtype))
    tiny = R.Less(x=size, y=tf.constant(1 / bound, a.dtype))
    shift = tf.where(huge, -exponent, tf.where(tiny, exponent, 0))
    scale = R.Pow(x=tf.constant(2, a.dtype), y=cast(shift, a.dtype))
    scaled = R.Log(x=R.Complex(real=a * scale, imag=b * scale, Tout=x.dtype))
    return R.Complex(real=real(scaled) - cast(shift, a.dtype) * math.log(2), imag=imag(scaled), Tout=x.dtype)


def _complex_log1p(x):
    a, b = real(x), imag(x)
    near = R.Less(x=R.Maximum(x=R.Abs(x=a), y=R.Abs(x=b)), y=tf.constant(0.5, a.dtype))
    far = _complex_log(R.Complex(real=a + 1, imag=b, Tout=x.dtype))
    safe_a, safe_b = (R.SelectV2(condition=near, t=part, e=make_zero(part)) for part in (a, b))
    exact = 0.5 * R.Log1p(x=safe_a * (2 + safe_a) + R.Square(x=safe_b))
    return R.Complex(real=tf.where(near, exact, real(far)), imag=imag(far), Tout=x.dtype)


def _complex_tanh(x):
    a, b = real(x), imag(x)
    limit = R.Complex(real=R.Sign(x=a), imag=copysign(R.ZerosLike(x=b), b), Tout=x.dtype)
    return R.SelectV2(condition=R.LogicalAnd(x=R.IsInf(x=a), y=R.IsFinite(x=b)), t=limit, e=R.Tanh(x=x))


exp = make_unary("exp", "``e ** x``.", R.Exp, FLOATING)
expm1 = make_unary("expm1", "``exp(x) - 1``, exact near 0.", R.Expm1, FLOATING, **set_for_each(COMPLEX, _complex_expm1))
log = make_unary("log", "The natural logarithm.", R.Log, FLOATING, **set_for_each(COMPLEX, _complex_log))
log1p = make_unary("log1p", "``log(1 + x)``, exact near 0.", R.Log1p, FLOATING, **set_for_each(COMPLEX, _complex_log1p))


def _log_base(base: float):
    def apply(x):
        return R.Mul(x=log(x), y=tf.constant(1 / math.log(base), x.dtype))

    return apply


log2 = make_unary("log2", "The logarithm to base 2.", _log_base(2), FLOATING)
log10 = make_unary("log10", "The logarithm to base 10.", _log_base(10), FLOATING)
sqrt = make_unary("sqrt", "The square root.", R.Sqrt, FLOATING)
sin = make_unary("sin", "The sine.", R.Sin, FLOATING)
cos = make_unary("cos", "The cosine.", R.Cos, FLOATING)
tan = make_unary("tan", "The tangent.", R.Tan, FLOATING)
asin = make_unary("asin", "The inverse sine.", R.Asin, FLOATING)
acos = make_unary("acos", "The inverse cosine.", R.Acos, FLOATING)
atan = make_unary("atan", "The inverse tangent.", R.Atan, FLOATING)
sinh = make_unary("sinh", "The hyperbolic sine.", R.Sinh, FLOATING)
cosh = make_unary("cosh", "The hyperbolic cosine.", R.Cosh, FLOATING)
tanh = make_unary("tanh", "The hyperbolic tangent.", R.Tanh, FLOATING, **set_for_each(COMPLEX, _complex_tanh))
asinh = make_unary("asinh", "The inverse hyperbolic sine.", R.Asinh, FLOATING)
acosh = make_unary("acosh", "The inverse hyperbolic cosine.", R.Acosh, FLOATING)
atanh = make_unary("atanh", "The inverse hyperbolic tangent.", R.Atanh, FLOATING)
atan2 = make_binary("atan2", "The angle of the point (x2, x1).", lambda x, y: R.Atan2(y=x, x=y), REAL_FLOATING)


def _logaddexp(x, y):
    larger, smaller = maximum(x, y), minimum(x, y)
    gap = R.Sub(x=smaller, y=larger)
    level = R.Equal(x=smaller, y=larger)  # also two equal infinities, whose difference is NaN
    safe = R.SelectV2(condition=level, t=R.ZerosLike(x=gap), e=gap)
    return R.AddV2(x=larger, y=R.Log1p(x=R.Exp(x=safe)))


def _hypot(x, y):
    x, y = R.Abs(x=x), R.Abs(x=y)
    larger, smaller = maximum(x, y), minimum(x, y)
    plain = logical_and(R.Greater(x=larger, y=make_zero(x)), R.IsFinite(x=larger))
    ratio = R.RealDiv(
        x=R.SelectV2(condition=plain, t=smaller, e=R.ZerosLike(x=smaller)),
        y=R.SelectV2(condition=plain, t=larger, e=R.OnesLike(x=larger)),
    )
    length = R.Mul(x=larger, y=R.Sqrt(x=R.AddV2(x=R.Square(x=ratio), y=tf.constant(1, x.dtype))))
    infinite = logical_or(R.IsInf(x=x), R.IsInf(x=y))
    return R.SelectV2(condition=infinite, t=tf.constant(math.inf, x.dtype), e=length)


logaddexp = make_binary("logaddexp", "``log(exp(x1) + exp(x2))``, without overflow.", _logaddexp, REAL_FLOATING)
hypot = make_binary("hypot", "``sqrt(x1**2 + x2**2)``, without overflow.", _hypot, REAL_FLOATING)
