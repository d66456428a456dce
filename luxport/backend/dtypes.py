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
    "expect_representable",
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
"""The machine epsilon of each dtype: the distance from 1 to the next larger number."""

HALVES = ("float16", "bfloat16")
"""The half-precision dtypes, in which long sums stagnate or overflow: they are computed in float32, then rounded."""


def convert_indices(xp: Any, x: Array) -> Array:
    """Convert indices and labels to the default integer type, unless they are int32 or int64, which all backends take.

    Unsigned integers cannot be compared with -1, and PyTorch cannot compare most of them at all. One that is too large
    for the new type becomes its largest value: an index that was out of range remains so, and never becomes negative.
    """
    kind = dtype_name(x)
    if kind in ("int32", "int64"):
        return x
    held = xp.astype(x, xp.int64 if kind == "uint64" else xp.asarray(0).dtype)
    if kind in ("uint32", "uint64") and dtype_name(held)[3:] <= kind[4:]:
        return xp.where(held < 0, xp.full_like(held, xp.iinfo(held.dtype).max), held)
    return held


def expect_floating(x: Array, name: str = "x") -> None:
    """Expect floating or complex numbers, for functions whose results integers would truncate.

    Raises: LayerTypeError
    """
    kind = dtype_name(x)
    if "float" not in kind and "complex" not in kind:
        raise LayerTypeError(
            f"expects floating numbers as {name}, got {kind}: convert it with luxport.to(..., dtype='float32')"
        )


def expect_representable(x: Array, value: Any, name: str) -> None:
    """Expect a number that x's dtype can represent exactly, if it is an integer type or bool.

    Frameworks differ in what they do with fractions and with numbers out of range.

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
            f"expects {name} as a number that {kind}, the array's dtype, holds, got {value}: convert the array with "
            "luxport.to(..., dtype='float32')"
        )


def expect_one_kind(x: Array, other: Array) -> None:
    """Expect both or neither to be integers: frameworks differ in the result type of an integer and a float.

    Raises: LayerTypeError
    """
    if is_integer(x) != is_integer(other):
        raise LayerTypeError(
            f"expects both to be integers or neither, got {dtype_name(x)} and {dtype_name(other)}: "
            "convert one with luxport.to(..., dtype=)"
        )


def expect_no_booleans(x: Array) -> None:
    """Expect numbers, not booleans.

    Raises: LayerTypeError
    """
    if dtype_name(x) == "bool":
        raise LayerTypeError("expects numbers, got booleans: convert them with luxport.to(..., dtype='float32')")


def widen_halves(xp: Any, x: Array) -> Array:
    """Convert half types to float32, for long sums; return other arrays unchanged."""
    if x.dtype == xp.float32 or is_double(x):
        return x
    return xp.astype(x, xp.float32) if dtype_name(x) in HALVES else x


def run_wide(f: F) -> F:
    """Decorate a function so that it computes half types in float32 and rounds each result once.

    Its positional arguments are arrays; those of another dtype than the first are passed unchanged.
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
    """Convert two arrays of numbers to their common result type.

    Raises: LayerTypeError for booleans, and for an integer and a float, whose result type no standard defines
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
    """Return ``x + parameter``, for half types computed in float32.

    The parameter's gradient is then a sum in float32 over the axes along which it is broadcast.
    """
    if x.dtype != parameter.dtype:
        x, parameter = promote(xp, x, parameter)
        return x + parameter
    if (wide := widen_halves(xp, x)) is x:
        return x + parameter
    return xp.astype(wide + widen_halves(xp, parameter), x.dtype)


def multiply_by_parameter(xp: Any, x: Array, parameter: Array) -> Array:
    """Return ``x * parameter``, for half types computed in float32, as in `add_parameter`."""
    if x.dtype != parameter.dtype:
        x, parameter = promote(xp, x, parameter)
        return x * parameter
    if (wide := widen_halves(xp, x)) is x:
        return x * parameter
    return xp.astype(wide * widen_halves(xp, parameter), x.dtype)


def require_numbers(xp: Any, x: Array, name: str) -> Array:
    """Return x, with integers converted to float32.

    Raises: LayerTypeError for booleans
    """
    return _convert_integers(xp, _refuse_booleans(xp, x, name))


def require_real_numbers(xp: Any, x: Array, name: str) -> Array:
    """Return x, with integers converted to float32.

    Raises: LayerTypeError for complex numbers and for booleans
    """
    return _convert_integers(xp, require_ordered(xp, x, name))


def require_ordered(xp: Any, x: Array, name: str) -> Array:
    """Return x if its numbers are ordered.

    Raises: LayerTypeError for complex numbers and for booleans
    """
    if is_complex(x):
        raise LayerTypeError(
            "expects real numbers, got complex ones: apply it to their real and imaginary parts", culprit=name
        )
    return _refuse_booleans(xp, x, name)


# These tests compare names of dtypes, which exist in every namespace. `xp.isdtype` is slower and does not know bfloat16
# and other additions of a library; a comparison with `xp.complex128` fails in a namespace that lacks it.


def is_complex(x: Array) -> bool:
    """Return whether an array's dtype is complex."""
    return dtype_name(x) in ("complex64", "complex128")


def is_double(x: Array) -> bool:
    """Return whether an array's dtype is double precision, real or complex."""
    return dtype_name(x) in ("float64", "complex128")


def is_bool(x: Array) -> bool:
    """Return whether an array's dtype is bool."""
    return dtype_name(x) == "bool"


def is_floating(x: Array) -> bool:
    """Return whether an array's dtype is real floating, half types included."""
    return "float" in dtype_name(x)


def is_integer(x: Array) -> bool:
    """Return whether an array's dtype is an integer type."""
    return dtype_name(x) in _INTEGERS


def choose_wider_dtype(xp: Any, x: Array) -> Any:
    """Return the dtype to compute in: float64 if x is in double precision, else float32."""
    return find_widest_dtype(xp) if is_double(x) else xp.float32


def find_widest_dtype(xp: Any) -> Any:
    """Return the most precise floating dtype that a namespace has."""
    return getattr(xp, "float64", xp.float32)


def find_bool_dtype(xp: Any) -> Any:
    """Return a namespace's dtype of booleans, for which not every namespace has a name."""
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
