"""Dtypes: NumPy's, without complex ones."""

from __future__ import annotations

import math
from typing import Any

import array_api_compat.numpy as host
import numpy as np

from luxport_onnx.graph import Array

__all__ = [
    "bool", "can_cast", "e", "finfo", "float16", "float32", "float64", "iinfo", "inf", "int8", "int16", "int32",
    "int64", "isdtype", "nan", "newaxis", "pi", "result_type", "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip

bool = np.dtype("bool")
int8, int16, int32, int64 = (np.dtype(f"int{n}") for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{n}") for n in (8, 16, 32, 64))
float16, float32, float64 = (np.dtype(f"float{n}") for n in (16, 32, 64))

e, inf, nan, newaxis, pi = math.e, math.inf, math.nan, None, math.pi


def isdtype(dtype: Any, kind: Any) -> Any:
    """Tell whether a dtype is of a kind."""
    return host.isdtype(np.dtype(dtype), kind)


def result_type(*xs: Any) -> Any:
    """Return the dtype to which arrays, dtypes and numbers promote together."""
    return np.result_type(*[x.dtype if type(x) is Array else x for x in xs])


def can_cast(x: Any, to: Any, /) -> Any:
    """Tell whether a dtype can be cast safely to another."""
    return np.can_cast(x.dtype if type(x) is Array else x, to)


def finfo(x: Any, /) -> Any:
    """Describe a floating dtype."""
    return np.finfo(x.dtype if type(x) is Array else x)


def iinfo(x: Any, /) -> Any:
    """Describe a dtype of integers."""
    return np.iinfo(x.dtype if type(x) is Array else x)
