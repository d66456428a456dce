"""Parts, kinds and bits of floating-point numbers."""

from __future__ import annotations

import tensorflow as tf

from ._arrays import R, cast
from ._dtypes import BITS_OF, COMPLEX, INTEGER, NUMERIC, REAL_FLOATING
from ._kernels import make_binary, make_unary, make_zero, return_same, set_for_each

__all__ = [
    "conj", "copysign", "imag", "isfinite", "isinf", "isnan", "nextafter", "real", "signbit",
]  # fmt: skip


real = make_unary(
    "real", "The real part.", return_same, REAL_FLOATING,
    complex64=lambda x: R.Real(input=x), complex128=lambda x: R.Real(input=x, Tout=tf.float64),
)  # fmt: skip
imag = make_unary(
    "imag", "The imaginary part.", R.ZerosLike, REAL_FLOATING,
    complex64=lambda x: R.Imag(input=x), complex128=lambda x: R.Imag(input=x, Tout=tf.float64),
)  # fmt: skip
conj = make_unary(
    "conj", "The complex conjugate.", return_same, NUMERIC, **set_for_each(COMPLEX, lambda x: R.Conj(input=x))
)


def _all_false(x):
    return R.ZerosLike(x=R.Equal(x=x, y=x))


def _all_true(x):
    return R.OnesLike(x=R.Equal(x=x, y=x))


isnan = make_unary(
    "isnan", "Where ``x`` is NaN.", R.IsNan, REAL_FLOATING,
    **set_for_each(INTEGER, _all_false), **set_for_each(COMPLEX, lambda x: R.NotEqual(x=x, y=x)),
)  # fmt: skip
isinf = make_unary(
    "isinf", "Where ``x`` is infinite.", R.IsInf, REAL_FLOATING, **set_for_each(INTEGER, _all_false),
    **set_for_each(COMPLEX, lambda x: R.LogicalOr(x=R.IsInf(x=real(x)), y=R.IsInf(x=imag(x)))),
)  # fmt: skip
isfinite = make_unary(
    "isfinite", "Where ``x`` is neither NaN nor infinite.", R.IsFinite, REAL_FLOATING,
    **set_for_each(INTEGER, _all_true),
    **set_for_each(COMPLEX, lambda x: R.LogicalAnd(x=R.IsFinite(x=real(x)), y=R.IsFinite(x=imag(x)))),
)  # fmt: skip


def _signbit(x):
    bits = R.Bitcast(input=x, type=BITS_OF[x.dtype])
    return R.Less(x=bits, y=make_zero(bits))


signbit = make_unary("signbit", "Where the sign bit is set: of -0. too.", _signbit, REAL_FLOATING)


def _copysign(x, y):
    return R.SelectV2(condition=R.NotEqual(x=_signbit(x), y=_signbit(y)), t=R.Neg(x=x), e=x)


copysign = make_binary("copysign", "The magnitude of ``x1`` with the sign of ``x2``.", _copysign, REAL_FLOATING)


def _nextafter_half(x, y):
    bits = cast(R.Bitcast(input=x, type=tf.int16), tf.int32)
    away = R.Equal(x=R.Less(x=x, y=y), y=R.GreaterEqual(x=bits, y=make_zero(bits)))  # away from zero: bits grow
    stepped = bits + tf.where(away, 1, -1)
    # From either zero the next is the smallest subnormal with the sign of y.
    stepped = tf.where(R.Equal(x=x, y=make_zero(x)), tf.where(R.Less(x=y, y=make_zero(y)), -32767, 1), stepped)
    moved = R.Bitcast(input=cast(stepped, tf.int16), type=x.dtype)
    result = R.SelectV2(condition=R.Equal(x=x, y=y), t=y, e=moved)
    return R.SelectV2(condition=R.LogicalOr(x=isnan(x), y=isnan(y)), t=R.AddV2(x=x, y=y), e=result)


nextafter = make_binary(
    "nextafter", "The next number from ``x1`` toward ``x2``.", lambda x, y: R.NextAfter(x1=x, x2=y), REAL_FLOATING,
    float16=_nextafter_half, bfloat16=_nextafter_half,
)  # fmt: skip
