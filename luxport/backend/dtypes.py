"""Checks and conversions of dtypes, the same on every backend."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from luxport.backend._arrays import namespace
from luxport.backend._dtype_names import dtype_name
from luxport.backend._protocol import Array
from luxport.errors import LayerTypeError

__all__ = [
    "EPSILON",
    "HALVES",
    "as_indices",
    "expect_floating",
    "expect_no_booleans",
    "in_single_or_double",
    "is_bool",
    "is_complex",
    "is_double",
    "numbers",
    "plus",
    "real_numbers",
    "reals_or_integers",
    "single_or_double",
    "times",
]


F = TypeVar("F", bound=Callable[..., Any])

EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
"""The distance from 1 to the next number of a dtype."""

HALVES = ("float16", "bfloat16")
"""Types in which sums of many stand still or overflow: these are taken in float32 and rounded once."""


def as_indices(xp: Any, x: Array) -> Array:
    """Convert integers of other types than int32 and int64, which backends take as indices and labels, to the default.

    Unsigned ones cannot be compared with -1, or have no order at all on PyTorch.
    """
    if x.dtype == xp.int32 or x.dtype == getattr(xp, "int64", _NO_DTYPE):
        return x
    return xp.astype(x, xp.asarray(0).dtype)


def expect_floating(x: Array, name: str = "x") -> None:
    """Expect floating or complex numbers, where integers would round what is between them away.

    Raises: LayerTypeError
    """
    kind = dtype_name(x)
    if "float" not in kind and "complex" not in kind:
        raise LayerTypeError(
            f"expects floating numbers as {name}, got {kind}: convert it with luxport.to(..., dtype='float32')"
        )


def expect_no_booleans(x: Array) -> None:
    """Expect numbers.

    Raises: LayerTypeError
    """
    if dtype_name(x) == "bool":
        raise LayerTypeError("expects numbers, got booleans: convert them with luxport.to(..., dtype='float32')")


def single_or_double(xp: Any, x: Array) -> Array:
    """Convert half types to float32, in which sums of many are taken; the rest is as it was."""
    if x.dtype == xp.float32 or is_double(xp, x):
        return x
    return xp.astype(x, xp.float32) if dtype_name(x) in HALVES else x


def in_single_or_double(f: F) -> F:
    """Let a function of arrays see half types as float32, and round each of its results once.

    Arrays come by position; those of another dtype than the first are left as they are.
    """

    @functools.wraps(f)
    def rounded_once(x: Array, *arrays: Any, **options: Any) -> Any:
        xp, kind = namespace(x), x.dtype
        wide = single_or_double(xp, x)
        if wide is x:
            return f(x, *arrays, **options)
        widened = [a if a is None or a.dtype != kind else single_or_double(xp, a) for a in arrays]
        results = f(wide, *widened, **options)
        if isinstance(results, tuple):
            return tuple([xp.astype(result, kind) for result in results])
        return xp.astype(results, kind)

    return rounded_once  # type: ignore[return-value]


def plus(xp: Any, x: Array, parameter: Array) -> Array:
    """Return ``x + parameter``; the parameter's gradient is a sum over what it is spread over, taken in float32."""
    if x.dtype != parameter.dtype or (wide := single_or_double(xp, x)) is x:
        return x + parameter
    return xp.astype(wide + single_or_double(xp, parameter), x.dtype)


def times(xp: Any, x: Array, parameter: Array) -> Array:
    """Return ``x * parameter``; the parameter's gradient is a sum over what it is spread over, taken in float32."""
    if x.dtype != parameter.dtype or (wide := single_or_double(xp, x)) is x:
        return x * parameter
    return xp.astype(wide * single_or_double(xp, parameter), x.dtype)


def numbers(xp: Any, x: Array, name: str) -> Array:
    """Let real and complex floating-point numbers pass and make float32 of integers."""
    return _integers_to_float32(xp, _no_booleans(xp, x, name))


def real_numbers(xp: Any, x: Array, name: str) -> Array:
    """Let real floating-point numbers pass and make float32 of integers."""
    return _integers_to_float32(xp, reals_or_integers(xp, x, name))


def reals_or_integers(xp: Any, x: Array, name: str) -> Array:
    """Let what has an order pass.

    Raises: LayerTypeError for complex numbers and for booleans
    """
    if is_complex(xp, x):
        raise LayerTypeError(
            "expects real numbers, got complex ones: apply it to their real and imaginary parts", culprit=name
        )
    return _no_booleans(xp, x, name)


def is_complex(xp: Any, x: Array) -> bool:
    """Tell whether an array's numbers are complex."""
    return x.dtype == getattr(xp, "complex64", _NO_DTYPE) or x.dtype == getattr(xp, "complex128", _NO_DTYPE)


def is_double(xp: Any, x: Array) -> bool:
    """Tell whether an array's numbers are of double precision, real or complex."""
    return x.dtype == getattr(xp, "float64", _NO_DTYPE) or x.dtype == getattr(xp, "complex128", _NO_DTYPE)


def is_bool(xp: Any, x: Array) -> bool:
    """Tell whether an array's entries are booleans."""
    return x.dtype == getattr(xp, "bool", _NO_DTYPE)


_NO_DTYPE = object()
"""Stands for a dtype that a namespace does not have: equal to none."""


# Comparisons, not `xp.isdtype`: it is slower, and knows neither bfloat16 nor what else a library adds.


def _no_booleans(xp: Any, x: Array, name: str) -> Array:
    if is_bool(xp, x):
        raise LayerTypeError(
            "expects numbers, got booleans: convert them with luxport.to(..., dtype='float32')", culprit=name
        )
    return x


def _integers_to_float32(xp: Any, x: Array) -> Array:
    if x.dtype == xp.float32 or x.dtype == getattr(xp, "float64", _NO_DTYPE):
        return x
    return xp.astype(x, xp.float32) if any(x.dtype == getattr(xp, kind, _NO_DTYPE) for kind in _INTEGERS) else x


_INTEGERS = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64")
