"""Names of dtypes, the same on every backend: read an array's, check a user's."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport.backend._protocol import Array
from luxport.text import show

__all__ = ["FLOATING", "check_dtype_name", "dtype_name", "numpy_bfloat16"]


def check_dtype_name(dtype: Any, *, floating: bool = False) -> None:
    """Expect the name of a dtype, or None.

    Raises: TypeError for anything but a string, ValueError for an unknown name
    """
    known = FLOATING if floating else (*FLOATING, *_COUNTING)
    if dtype is not None and not isinstance(dtype, str):
        raise TypeError(f"a dtype expected by name, such as 'float32', got {show(dtype)}")
    if dtype is not None and dtype not in known:
        raise ValueError(
            f"{'a floating dtype' if floating else 'a dtype'} expected, got {show(dtype)}: one of {', '.join(known)}"
        )


def dtype_name(array: Array) -> str:
    """Return the name of an array's dtype, the same on every backend: "float32".

    >>> import numpy as np
    >>> dtype_name(np.zeros(2, np.float32))
    'float32'
    """
    dtype = array.dtype
    return _NUMPY_NAMES.get(type(dtype)) or getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]


def numpy_bfloat16() -> Any:
    """Return NumPy's extension type for bfloat16, which the package ml_dtypes provides.

    Raises: TypeError if that is not installed
    """
    try:
        import ml_dtypes
    except ImportError:
        raise TypeError(
            "numpy has no bfloat16 of its own: pip install ml-dtypes, or convert with luxport.to(..., dtype='float32') "
            "first"
        ) from None
    return ml_dtypes.bfloat16


FLOATING = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")

_COUNTING = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")

# A look-up by the dtype's class, of which NumPy has one for each, as its attribute `name` takes some microseconds.
_NUMPY_NAMES = {type(np.dtype(name)): name for name in (*FLOATING, *_COUNTING) if name != "bfloat16"}
