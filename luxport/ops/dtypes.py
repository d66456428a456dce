"""What functions of numbers ask of a dtype: the same conversions and the same refusals on every backend."""

from __future__ import annotations

from typing import Any

from luxport.backend import Array

__all__ = ["EPSILON", "is_complex", "numbers", "real_numbers", "reals_or_integers"]


EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
"""The distance from 1 to the next number of a dtype."""


def numbers(xp: Any, x: Array, name: str) -> Array:
    """Let real and complex floating-point numbers pass and make float32 of integers."""
    return _integers_to_float32(xp, _no_booleans(xp, x, name))


def real_numbers(xp: Any, x: Array, name: str) -> Array:
    """Let real floating-point numbers pass and make float32 of integers."""
    return _integers_to_float32(xp, reals_or_integers(xp, x, name))


def reals_or_integers(xp: Any, x: Array, name: str) -> Array:
    """Let what has an order pass.

    Raises: TypeError for complex numbers and for booleans
    """
    if is_complex(xp, x):
        raise TypeError(f"{name} expects real numbers, got complex ones: apply it to their real and imaginary parts")
    return _no_booleans(xp, x, name)


def is_complex(xp: Any, x: Array) -> bool:
    """Tell whether an array's numbers are complex."""
    return x.dtype == xp.complex64 or x.dtype == xp.complex128


# Comparisons, not `xp.isdtype`: it is slower, and knows neither bfloat16 nor what else a library adds.


def _no_booleans(xp: Any, x: Array, name: str) -> Array:
    if x.dtype == xp.bool:
        raise TypeError(f"{name} expects numbers, got booleans: convert them with luxport.to(..., dtype='float32')")
    return x


def _integers_to_float32(xp: Any, x: Array) -> Array:
    if x.dtype == xp.float32 or x.dtype == xp.float64:
        return x
    return xp.astype(x, xp.float32) if any(x.dtype == getattr(xp, kind) for kind in _INTEGERS) else x


_INTEGERS = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64")
