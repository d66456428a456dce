"""bfloat16 on the host: NumPy learns of it from ml_dtypes, and takes it for no float of its own.

With Python's numbers it becomes float32 or float64 there, as in ``x * 0.5``, and not every function knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["call_in_single", "is_host_bfloat16"]


def is_host_bfloat16(arrays: tuple[Any, ...]) -> bool:
    """Tell whether arrays of NumPy are bfloat16, all of those that hold real or complex numbers.

    >>> is_host_bfloat16((np.ones(2), None))
    False
    """
    found = False
    for array in arrays:
        kind = array.dtype.kind if isinstance(array, np.ndarray) else ""
        if kind in ("f", "c"):
            return False
        found = found or (kind == "V" and array.dtype.name == "bfloat16")
    return found


def call_in_single(function: Callable[..., Any], arrays: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """Call a function with float32 in place of bfloat16, and round once what comes back."""
    kind = next(array.dtype for array in arrays if isinstance(array, np.ndarray) and array.dtype.kind == "V")
    arrays, values = _convert(arrays, "V", np.float32), _convert(list(options.values()), "V", np.float32)
    return _convert(function(*arrays, **dict(zip(options, values, strict=True))), "f", kind)


def _convert(values: Any, kind: str, dtype: Any) -> Any:
    if type(values) in (tuple, list):
        return type(values)([_convert(value, kind, dtype) for value in values])
    there = isinstance(values, (np.ndarray, np.generic)) and values.dtype.kind == kind
    return values.astype(dtype) if there else values
