"""bfloat16 on the host: NumPy gets it from ml_dtypes, and does not count it among its floating types.

With Python's numbers it becomes float32 or float64 there, as in ``x * 0.5``, and not every function knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["call_in_single", "find_host_bfloat16"]


def find_host_bfloat16(arrays: Sequence[Any]) -> Any:
    """Return bfloat16 as NumPy has it, if that is the type of all arrays of NumPy's with real or complex numbers.

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
    """Call a function with float32 in place of bfloat16, and round once what comes back.

    `luxport.backend.dtypes.run_wide` does so for functions of floating arrays on every backend; here any
    argument may be an array, and what is no float comes back as it is.
    """
    arrays, values = _convert(arrays, "V", np.float32), _convert(list(options.values()), "V", np.float32)
    return _convert(function(*arrays, **dict(zip(options, values, strict=True))), "f", half)


def _convert(values: Any, kind: str, dtype: Any) -> Any:
    if type(values) in (tuple, list):
        return type(values)([_convert(value, kind, dtype) for value in values])
    there = isinstance(values, (np.ndarray, np.generic)) and values.dtype.kind == kind
    return values.astype(dtype) if there else values
