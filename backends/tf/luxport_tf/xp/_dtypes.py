"""The standard's data types as TensorFlow's, and the functions on them."""

from __future__ import annotations

import builtins
import dataclasses
from typing import Any

import tensorflow as tf

__all__ = [
    "bfloat16", "bool", "can_cast", "complex64", "complex128", "finfo", "finfo_object", "float16", "float32",
    "float64", "iinfo", "iinfo_object", "int8", "int16", "int32", "int64", "isdtype", "result_type", "uint8",
    "uint16", "uint32", "uint64",
]  # fmt: skip

bool = tf.bool
int8, int16, int32, int64 = tf.int8, tf.int16, tf.int32, tf.int64
uint8, uint16, uint32, uint64 = tf.uint8, tf.uint16, tf.uint32, tf.uint64
float16, bfloat16, float32, float64 = tf.float16, tf.bfloat16, tf.float32, tf.float64
complex64, complex128 = tf.complex64, tf.complex128

BOOL = (bool,)
SIGNED = (int8, int16, int32, int64)
UNSIGNED = (uint8, uint16, uint32, uint64)
INTEGER = SIGNED + UNSIGNED
HALF = (float16, bfloat16)
REAL_FLOATING = (*HALF, float32, float64)
COMPLEX = (complex64, complex128)
FLOATING = REAL_FLOATING + COMPLEX
REAL = INTEGER + REAL_FLOATING
NUMERIC = INTEGER + FLOATING
ALL = BOOL + NUMERIC

DEFAULT_INT = INDEX = int64
DEFAULT_FLOAT = float32
DEFAULT_COMPLEX = complex64

KINDS = {
    "bool": BOOL,
    "signed integer": SIGNED,
    "unsigned integer": UNSIGNED,
    "integral": INTEGER,
    "real floating": REAL_FLOATING,
    "complex floating": COMPLEX,
    "numeric": NUMERIC,
}

# Sets for the look-ups that every call makes.
_ALL, _SIGNED, _UNSIGNED, _INTEGER = map(frozenset, (ALL, SIGNED, UNSIGNED, INTEGER))
_REAL_FLOATING, _COMPLEX = frozenset(REAL_FLOATING), frozenset(COMPLEX)

REAL_OF = {complex64: float32, complex128: float64}
COMPLEX_OF: dict[Any, Any] = {float16: complex64, bfloat16: complex64, float32: complex64, float64: complex128}
SIGNED_OF = dict(zip(UNSIGNED, SIGNED, strict=True))
BITS_OF = {float16: int16, bfloat16: int16, float32: int32, float64: int64}
LIMITS = {d: (-(2 ** (8 * d.size - 1)), 2 ** (8 * d.size - 1) - 1) for d in SIGNED}
LIMITS |= {d: (0, 2 ** (8 * d.size) - 1) for d in UNSIGNED}


def find_dtype(dtype: Any) -> tf.DType:
    """Return the `tf.DType` that ``dtype`` names; TypeError if the standard has no such type."""
    found = tf.as_dtype(dtype)
    if found not in _ALL:
        raise TypeError(f"dtype must be one of {', '.join(d.name for d in ALL)}; got {dtype!r}")
    return found


def is_integer(dtype: tf.DType):
    """Tell whether ``dtype`` is a signed or an unsigned integer type."""
    return dtype in _INTEGER


def is_signed(dtype: tf.DType):
    """Tell whether ``dtype`` is a signed integer type."""
    return dtype in _SIGNED


def is_unsigned(dtype: tf.DType):
    """Tell whether ``dtype`` is an unsigned integer type."""
    return dtype in _UNSIGNED


def is_real_floating(dtype: tf.DType):
    """Tell whether ``dtype`` is a real floating-point type."""
    return dtype in _REAL_FLOATING


def is_complex(dtype: tf.DType):
    """Tell whether ``dtype`` is a complex type."""
    return dtype in _COMPLEX


def is_floating(dtype: tf.DType):
    """Tell whether ``dtype`` is a real or complex floating-point type."""
    return dtype in _REAL_FLOATING or dtype in _COMPLEX


def _promote_pair(a: tf.DType, b: tf.DType) -> tf.DType | None:
    if a == b:
        return a
    for kind in (_SIGNED, _UNSIGNED):
        if a in kind and b in kind:
            return a if a.size > b.size else b
    if a in _INTEGER and b in _INTEGER:
        signed, unsigned = (a, b) if a in _SIGNED else (b, a)
        if signed.size > unsigned.size:
            return signed
        return {1: int16, 2: int32, 4: int64}.get(unsigned.size)
    if not (is_floating(a) and is_floating(b)):
        return None
    if a in _COMPLEX or b in _COMPLEX:
        real = _promote_pair(REAL_OF.get(a, a), REAL_OF.get(b, b))
        return None if real is None else COMPLEX_OF[real]
    if a.size == b.size:  # float16 and bfloat16: neither holds the other
        return float32
    return a if a.size > b.size else b


PROMOTIONS = {(a, b): c for a in ALL for b in ALL if (c := _promote_pair(a, b)) is not None}


def promote_dtypes(a: tf.DType, b: tf.DType) -> tf.DType:
    """Return the type to which the standard promotes ``a`` and ``b``; TypeError where it has none."""
    found = PROMOTIONS.get((a, b))
    if found is None:
        raise TypeError(f"{a.name} and {b.name} do not promote to a common dtype; convert one with astype")
    return found


def choose_scalar_dtype(value: Any, dtype: tf.DType) -> tf.DType:
    """Return the type that a Python scalar has beside an array of type ``dtype``."""
    if isinstance(value, int):  # a Python bool is an int, and numeric arrays take it as one
        if dtype in _INTEGER:
            low, high = LIMITS[dtype]
            if not low <= value <= high:
                raise OverflowError(f"{value} is out of bounds for {dtype.name}, which holds {low} … {high}")
            return dtype
        if is_floating(dtype) or value is True or value is False:
            return dtype
    elif isinstance(value, float):
        if is_floating(dtype):
            return dtype
    elif isinstance(value, complex):
        if dtype in _COMPLEX:
            return dtype
        if dtype in _REAL_FLOATING:
            return COMPLEX_OF[dtype]
    else:
        raise TypeError(
            f"expected an array or a Python scalar, got {type(value).__module__}.{type(value).__qualname__}"
        )
    raise TypeError(
        f"a Python {type(value).__name__} does not combine with an array of {dtype.name}; convert with astype"
    )


def result_type(*arrays_and_dtypes: Any) -> tf.DType:
    """Return the type that the standard's promotion gives the arrays, types and Python scalars together."""
    dtypes, scalars = [], []
    for item in arrays_and_dtypes:
        if isinstance(item, bool_int_float_complex):
            scalars.append(item)
        elif isinstance(item, tf.DType):
            dtypes.append(item)
        else:
            dtypes.append(find_dtype(getattr(item, "dtype", item)))
    if not dtypes:
        raise ValueError("result_type needs at least one array or dtype among its arguments")
    result = dtypes[0]
    for dtype in dtypes[1:]:
        result = promote_dtypes(result, dtype)
    for value in scalars:
        result = choose_scalar_dtype(value, result)
    return result


bool_int_float_complex = (int, float, complex)


def can_cast(from_: tf.DType | Any, to: tf.DType | Any, /) -> builtins.bool:
    """Tell whether ``from_`` (a dtype or an array) promotes to the type ``to``."""
    source = find_dtype(getattr(from_, "dtype", from_))
    target = find_dtype(to)
    return PROMOTIONS.get((source, target)) == target


def isdtype(dtype: tf.DType, kind: Any) -> builtins.bool:
    """Tell whether ``dtype`` is of ``kind``: a dtype, a kind's name, or a tuple of those."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    dtype = find_dtype(dtype)
    if isinstance(kind, str):
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
        return dtype in KINDS[kind]
    return dtype == find_dtype(kind)


@dataclasses.dataclass(frozen=True)
class finfo_object:
    """Machine limits of a floating-point type."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: tf.DType


@dataclasses.dataclass(frozen=True)
class iinfo_object:
    """Machine limits of an integer type."""

    bits: int
    max: int
    min: int
    dtype: tf.DType


# (bits of the significand after the point, largest exponent)
_FLOAT_FORMAT = {float16: (10, 15), bfloat16: (7, 127), float32: (23, 127), float64: (52, 1023)}


def finfo(type: tf.DType | Any, /) -> finfo_object:
    """Return the limits of a floating-point dtype, or of an array's; of a complex type those of its parts."""
    dtype = find_dtype(getattr(type, "dtype", type))
    real = REAL_OF.get(dtype, dtype)
    if real not in _FLOAT_FORMAT:
        raise TypeError(f"finfo wants a floating-point dtype, got {dtype.name}; use iinfo for integers")
    fraction, exponent = _FLOAT_FORMAT[real]
    largest = (2.0 - 2.0**-fraction) * 2.0**exponent
    return finfo_object(8 * real.size, 2.0**-fraction, largest, -largest, 2.0 ** (1 - exponent), real)


def iinfo(type: tf.DType | Any, /) -> iinfo_object:
    """Return the limits of an integer dtype, or of an array's."""
    dtype = find_dtype(getattr(type, "dtype", type))
    if dtype not in _INTEGER:
        raise TypeError(f"iinfo wants an integer dtype, got {dtype.name}; use finfo for floating-point types")
    low, high = LIMITS[dtype]
    return iinfo_object(8 * dtype.size, high, low, dtype)
