"""Functions of each element by itself."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_invert",
    "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj", "copysign", "cos",
    "cosh", "divide", "equal", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal", "hypot", "imag",
    "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp", "logical_and",
    "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative", "not_equal", "positive",
    "pow", "real", "reciprocal", "remainder", "round", "sign", "signbit", "sin", "sinh", "sqrt", "square", "subtract",
    "tan", "tanh", "trunc", "where",
]  # fmt: skip

abs, ceil, floor, negative, reciprocal, round, square, sqrt = (
    mx.abs, mx.ceil, mx.floor, mx.negative, mx.reciprocal, mx.round, mx.square, mx.sqrt,
)  # fmt: skip
acos, acosh, asin, asinh, atan, atan2, atanh = mx.acos, mx.acosh, mx.asin, mx.asinh, mx.atan, mx.atan2, mx.atanh
cos, cosh, sin, sinh, tan = mx.cos, mx.cosh, mx.sin, mx.sinh, mx.tan
exp, expm1, log, log1p, log2, log10, logaddexp = mx.exp, mx.expm1, mx.log, mx.log1p, mx.log2, mx.log10, mx.logaddexp
bitwise_and, bitwise_or, bitwise_xor, bitwise_invert = (
    mx.bitwise_and, mx.bitwise_or, mx.bitwise_xor, mx.bitwise_invert,
)  # fmt: skip
bitwise_left_shift, bitwise_right_shift = mx.bitwise_left_shift, mx.bitwise_right_shift
equal, not_equal, greater, greater_equal, less, less_equal = (
    mx.equal, mx.not_equal, mx.greater, mx.greater_equal, mx.less, mx.less_equal,
)  # fmt: skip
logical_and, logical_not, logical_or, logical_xor = mx.logical_and, mx.logical_not, mx.logical_or, mx.logical_xor
isfinite, isinf, isnan = mx.isfinite, mx.isinf, mx.isnan
add, subtract, multiply, divide, floor_divide, remainder, pow = (
    mx.add, mx.subtract, mx.multiply, mx.divide, mx.floor_divide, mx.remainder, mx.power,
)  # fmt: skip
maximum, minimum, where = mx.maximum, mx.minimum, mx.where
conj, positive, trunc = mx.conj, mx.positive, mx.trunc


def clip(x: mx.array, /, min: Any = None, max: Any = None) -> mx.array:
    """Clip x to bounds, and keep its dtype."""
    return x if min is None and max is None else mx.clip(x, min, max).astype(x.dtype)


def copysign(x1: Any, x2: Any, /) -> mx.array:
    """Return the magnitudes of x1 with the signs of x2."""
    size = mx.abs(x1)
    return mx.where(signbit(x2), -size, size)


def hypot(x1: Any, x2: Any, /) -> mx.array:
    """Return ``sqrt(x1**2 + x2**2)``; no square overflows or vanishes."""
    x1, x2 = mx.abs(x1), mx.abs(x2)
    longer, shorter = mx.maximum(x1, x2), mx.minimum(x1, x2)
    ratio = mx.where(mx.logical_and(longer > 0, longer < mx.inf), shorter / longer, 0.0)
    return longer * mx.sqrt(1.0 + ratio * ratio)


def imag(x: mx.array, /) -> mx.array:
    """Return the imaginary part."""
    return mx.imag(x)


def real(x: mx.array, /) -> mx.array:
    """Return the real part."""
    return mx.real(x) if x.dtype == mx.complex64 else x


def sign(x: mx.array, /) -> mx.array:
    """Return -1, 0 or 1, and NaN for NaN."""
    if not mx.issubdtype(x.dtype, mx.inexact):
        return mx.sign(x)
    return mx.where(mx.isnan(x), x, mx.sign(x))


def signbit(x: mx.array, /) -> mx.array:
    """Tell where the sign bit is set, that of -0.0 and of NaN too."""
    bits = {2: mx.int16, 4: mx.int32}[x.dtype.size]
    return x.view(bits) < 0


def tanh(x: mx.array, /) -> mx.array:
    """Call MLX's function on x clipped to where tanh is 1: its second derivative is NaN where cosh overflows."""
    if not mx.issubdtype(x.dtype, mx.floating):
        return mx.tanh(x)
    most = 9.0 if x.dtype == mx.float16 else 40.0
    return mx.tanh(mx.clip(x, -most, most))
