"""Data types, and functions on them."""

from __future__ import annotations

import builtins
from typing import Any

import mlx.core as mx

__all__ = [
    "astype", "bfloat16", "bool", "can_cast", "complex64", "e", "finfo", "float16", "float32", "iinfo", "inf", "int8",
    "int16", "int32", "int64", "isdtype", "nan", "newaxis", "pi", "result_type", "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip

bool = mx.bool_
int8, int16, int32, int64 = mx.int8, mx.int16, mx.int32, mx.int64
uint8, uint16, uint32, uint64 = mx.uint8, mx.uint16, mx.uint32, mx.uint64
float16, bfloat16, float32, complex64 = mx.float16, mx.bfloat16, mx.float32, mx.complex64

e, inf, nan, newaxis, pi = mx.e, mx.inf, mx.nan, mx.newaxis, mx.pi
can_cast, isdtype = mx.can_cast, mx.isdtype

SIGNED = (int8, int16, int32, int64)
UNSIGNED = (uint8, uint16, uint32, uint64)


def astype(x: mx.array, dtype: mx.Dtype, /, *, copy: builtins.bool = True, device: Any = None) -> mx.array:
    """Convert to a dtype. An array of that dtype is returned itself: arrays never change."""
    return x if x.dtype == dtype else x.astype(dtype)


def finfo(type: Any, /) -> mx.finfo:
    """Return the limits of a floating-point dtype, or of an array's."""
    dtype = getattr(type, "dtype", type)
    return mx.finfo(float32 if dtype == complex64 else dtype)


def iinfo(type: Any, /) -> mx.iinfo:
    """Return the limits of an integer dtype, or of an array's."""
    return mx.iinfo(getattr(type, "dtype", type))


def result_type(*arrays_and_dtypes: Any) -> mx.Dtype:
    """Return the dtype to which arrays, dtypes and Python's numbers promote together."""
    known = [one for one in arrays_and_dtypes if isinstance(one, (mx.array, mx.Dtype))]
    result = mx.result_type(*known)
    for one in arrays_and_dtypes:
        if not isinstance(one, (mx.array, mx.Dtype)):
            result = _promote_number(result, one)
    return result


def _promote_number(dtype: mx.Dtype, number: Any) -> mx.Dtype:
    if isinstance(number, complex):
        return complex64
    if isinstance(number, float) and not mx.issubdtype(dtype, mx.inexact):
        return float32
    return dtype
