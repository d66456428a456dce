"""Run operations on NumPy arrays of bfloat16 in float32.

NumPy gets bfloat16 from ml_dtypes as an extension type: many functions do not support it, and together with a Python
number, as in ``x * 0.5``, the result is float32 or float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["call_in_single", "find_host_bfloat16"]


def find_host_bfloat16(arrays: Sequence[Any]) -> Any:
    """Return NumPy's bfloat16 dtype if all NumPy arrays of real or complex numbers have it, else None.

    >>> find_host_bfloat16((np.ones(2), None)) is None
    True
    """
    found = None
    for array in arrays:
        kind = array.dtype.kind if isinstance(array, np.ndarray) else ""
        if kind in ("f", "c"):
            return None
        if kind == "V" and array.dtype.name == "bfloat16":
            found = array.dtype
    return found


def call_in_single(function: Callable[..., Any], arrays: tuple[Any, ...], options: Mapping[str, Any], half: Any) -> Any:
    """Call a function with float32 in place of bfloat16, and round its floating results to bfloat16 once.

    `luxport.backend.dtypes.run_wide` does so for functions of floating arrays on every backend; here any argument may
    be an array, and results that are not floating are returned unchanged.
    """
    arrays, values = _convert(arrays, "V", np.float32), _convert(list(options.values()), "V", np.float32)
    return _convert(function(*arrays, **dict(zip(options, values, strict=True))), "f", half)


def _convert(values: Any, kind: str, dtype: Any) -> Any:
    if type(values) in (tuple, list):
        return type(values)([_convert(value, kind, dtype) for value in values])
    is_of_kind = isinstance(values, (np.ndarray, np.generic)) and values.dtype.kind == kind
    return values.astype(dtype) if is_of_kind else values
