"""Checks and conversions of dtypes, the same on every backend."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from luxport.backend._arrays import namespace
from luxport.backend._dtype_names import dtype_name
from luxport.backend._protocol import Array
from luxport.errors import LayerError, LayerTypeError

__all__ = [
    "EPSILON",
    "HALVES",
    "convert_indices",
    "find_bool_dtype",
    "expect_floating",
    "expect_held",
    "expect_no_booleans",
    "expect_one_kind",
    "run_wide",
    "is_bool",
    "is_complex",
    "is_double",
    "is_floating",
    "is_integer",
    "require_numbers",
    "add_parameter",
    "promote",
    "require_real_numbers",
    "require_ordered",
    "widen_halves",
    "multiply_by_parameter",
    "find_widest_dtype",
    "choose_wider_dtype",
]


F = TypeVar("F", bound=Callable[..., Any])

EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
"""The distance from 1 to the next number of a dtype."""

HALVES = ("float16", "bfloat16")
"""Types in which sums of many stand still or overflow: these are taken in float32 and rounded once."""


def convert_indices(xp: Any, x: Array) -> Array:
    """Convert indices and labels to the default integer type, unless they are int32 or int64, which all backends take.

    Unsigned integers cannot be compared with -1, and on PyTorch have no order at all. One that is too large for the
    type becomes the largest that it holds, which is out of range wherever the one given is, and never a negative one.
    """
    kind = dtype_name(x)
    if kind in ("int32", "int64"):
        return x
    held = xp.astype(x, xp.int64 if kind == "uint64" else xp.asarray(0).dtype)
    if kind in ("uint32", "uint64") and dtype_name(held)[3:] <= kind[4:]:
        return xp.where(held < 0, xp.full_like(held, xp.iinfo(held.dtype).max), held)
    return held


def expect_floating(x: Array, name: str = "x") -> None:
    """Expect floating or complex numbers, where integers would lose fractions.

    Raises: LayerTypeError
    """
    kind = dtype_name(x)
    if "float" not in kind and "complex" not in kind:
        raise LayerTypeError(
            f"expects floating numbers as {name}, got {kind}: convert it with luxport.to(..., dtype='float32')"
        )


def expect_held(x: Array, value: Any, name: str) -> None:
    """Expect a number that an array like x holds: integers round, and frameworks differ on what is out of range.

    Raises: LayerError
    """
    kind = dtype_name(x)
    if kind == "bool":
        low, high = 0, 1
    elif kind in _INTEGERS:
        bits = int(kind.lstrip("uint"))
        low, high = (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    else:
        return
    if not (low <= value <= high and value == int(value)):
        raise LayerError(
            f"expects {name} as a number of {kind}, as the array is of, got {value}: convert the array with "
            "luxport.to(..., dtype='float32')"
        )


def expect_one_kind(x: Array, other: Array) -> None:
    """Expect no integers beside floating numbers: each framework has its own rule for the dtype that holds both.

    Raises: LayerTypeError
    """
    if is_integer(x) != is_integer(other):
        raise LayerTypeError(
            f"expects integers alone or no integers, got {dtype_name(x)} and {dtype_name(other)}: "
            "convert one with luxport.to(..., dtype=)"
        )


def expect_no_booleans(x: Array) -> None:
    """Expect numbers.

    Raises: LayerTypeError
    """
    if dtype_name(x) == "bool":
        raise LayerTypeError("expects numbers, got booleans: convert them with luxport.to(..., dtype='float32')")


def widen_halves(xp: Any, x: Array) -> Array:
    """Convert half types to float32, in which sums of many are taken; the rest is as it was."""
    if x.dtype == xp.float32 or is_double(x):
        return x
    return xp.astype(x, xp.float32) if dtype_name(x) in HALVES else x


def run_wide(f: F) -> F:
    """Let a function of arrays see half types as float32, and round each of its results once.

    Arrays come by position; those of another dtype than the first are left as they are.
    """

    @functools.wraps(f)
    def compute_in_single(x: Array, *arrays: Any, **options: Any) -> Any:
        xp, kind = namespace(x), x.dtype
        wide = widen_halves(xp, x)
        if wide is x:
            return f(x, *arrays, **options)
        widened = [a if a is None or a.dtype != kind else widen_halves(xp, a) for a in arrays]
        results = f(wide, *widened, **options)
        if isinstance(results, tuple):
            return tuple([xp.astype(result, kind) for result in results])
        return xp.astype(results, kind)

    return compute_in_single  # type: ignore[return-value]


def promote(xp: Any, x: Array, other: Array) -> tuple[Array, Array]:
    """Convert two arrays of numbers to the dtype that holds both.

    Raises: LayerTypeError for booleans, and for integers beside others: which dtype holds both is no standard's
    """
    if x.dtype != other.dtype:
        expect_no_booleans(x)
        expect_no_booleans(other)
        expect_one_kind(x, other)
        dtype = xp.result_type(x.dtype, other.dtype)
        return xp.astype(x, dtype), xp.astype(other, dtype)
    expect_no_booleans(x)
    return x, other


def add_parameter(xp: Any, x: Array, parameter: Array) -> Array:
    """Return ``x + parameter``; the parameter's gradient is a sum over what it is spread over, taken in float32."""
    if x.dtype != parameter.dtype:
        x, parameter = promote(xp, x, parameter)
        return x + parameter
    if (wide := widen_halves(xp, x)) is x:
        return x + parameter
    return xp.astype(wide + widen_halves(xp, parameter), x.dtype)


def multiply_by_parameter(xp: Any, x: Array, parameter: Array) -> Array:
    """Return ``x * parameter``; the parameter's gradient is a sum over what it is spread over, taken in float32."""
    if x.dtype != parameter.dtype:
        x, parameter = promote(xp, x, parameter)
        return x * parameter
    if (wide := widen_halves(xp, x)) is x:
        return x * parameter
    return xp.astype(wide * widen_halves(xp, parameter), x.dtype)


def require_numbers(xp: Any, x: Array, name: str) -> Array:
    """Let real and complex floating-point numbers pass and make float32 of integers."""
    return _convert_integers(xp, _refuse_booleans(xp, x, name))


def require_real_numbers(xp: Any, x: Array, name: str) -> Array:
    """Let real floating-point numbers pass and make float32 of integers."""
    return _convert_integers(xp, require_ordered(xp, x, name))


def require_ordered(xp: Any, x: Array, name: str) -> Array:
    """Let numbers that have an order pass.

    Raises: LayerTypeError for complex numbers and for booleans
    """
    if is_complex(x):
        raise LayerTypeError(
            "expects real numbers, got complex ones: apply it to their real and imaginary parts", culprit=name
        )
    return _refuse_booleans(xp, x, name)


# By name, which every namespace's dtypes have: `xp.isdtype` is slower, and knows neither bfloat16 nor what else a
# library adds; and not every namespace has the dtype to compare with.


def is_complex(x: Array) -> bool:
    """Tell whether an array's numbers are complex."""
    return dtype_name(x) in ("complex64", "complex128")


def is_double(x: Array) -> bool:
    """Tell whether an array's numbers are of double precision, real or complex."""
    return dtype_name(x) in ("float64", "complex128")


def is_bool(x: Array) -> bool:
    """Tell whether an array's entries are booleans."""
    return dtype_name(x) == "bool"


def is_floating(x: Array) -> bool:
    """Tell whether an array's numbers are real floating ones, half types included."""
    return "float" in dtype_name(x)


def is_integer(x: Array) -> bool:
    """Tell whether an array's numbers are integers."""
    return dtype_name(x) in _INTEGERS


def choose_wider_dtype(xp: Any, x: Array) -> Any:
    """Return the dtype to compute in where float32 is too coarse for some: float64 for x in double precision."""
    return find_widest_dtype(xp) if is_double(x) else xp.float32


def find_widest_dtype(xp: Any) -> Any:
    """Return the most precise floating dtype that a namespace has."""
    return getattr(xp, "float64", xp.float32)


def find_bool_dtype(xp: Any) -> Any:
    """Return a namespace's dtype of booleans, which not every one has a name for."""
    return getattr(xp, "bool", None) or xp.asarray(False).dtype


def _refuse_booleans(xp: Any, x: Array, name: str) -> Array:
    if is_bool(x):
        raise LayerTypeError(
            "expects numbers, got booleans: convert them with luxport.to(..., dtype='float32')", culprit=name
        )
    return x


def _convert_integers(xp: Any, x: Array) -> Array:
    return xp.astype(x, xp.float32) if is_integer(x) else x


_INTEGERS = frozenset(("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64"))
