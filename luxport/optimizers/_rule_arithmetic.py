"""Arithmetic that all rules share: rounding hyper-parameters, and squares of complex numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from luxport.backend import Array, backend_of, dtype_name, is_compiling, namespace
from luxport.backend.dtypes import expect_floating

__all__ = [
    "abs2",
    "check_real",
    "expect_arrays_of_floats",
    "in_dtype_of",
    "is_number",
    "make_scalar_like",
    "read_number",
]


def expect_arrays_of_floats(*arrays: Array, **options: Any) -> None:
    """Expect floating or complex numbers in every array; called to explain a step that has failed.

    Raises: LayerTypeError
    """
    for array in arrays:
        expect_floating(array, "the arrays of a step")


def in_dtype_of(x: Array, value: Any) -> Any:
    """Round a hyper-parameter to the precision of x, so that arithmetic such as ``1 - beta`` uses the rounded value.

    A hyper-parameter that is an array, as in the state of `optimizers.setup`, is converted to the dtype of x.

    Args:
        x: the array whose precision is wanted
        value: a number or an array

    >>> import numpy as np
    >>> in_dtype_of(np.ones(1, np.float32), 0.9)
    0.8999999761581421
    """
    if not is_number(value):
        return value if value.dtype == x.dtype else backend_of(x, value).xp.astype(value, x.dtype)
    if is_compiling():  # PyTorch's compiler may replace the number by a symbol, which cannot be rounded here
        return make_scalar_like(x, value)
    finfo = namespace(x).finfo(x.dtype)
    return _round(value, float(finfo.eps), float(finfo.smallest_normal))


def is_number(value: Any) -> bool:
    """Tell whether a value is a Python number, and not an array."""
    return isinstance(value, (int, float))


def read_number(value: Any) -> Any:
    """Return a real number of NumPy, a scalar or an array without axes, as Python's; any other value unchanged.

    >>> import numpy as np
    >>> read_number(np.float32(0.5)), read_number(np.array(2)), read_number("0.5")
    (0.5, 2, '0.5')
    """
    of_numpy = isinstance(value, (np.generic, np.ndarray)) and value.shape == () and not np.iscomplexobj(value)
    return value.item() if of_numpy else value


def abs2(x: Array) -> Array:
    """Return ``|x|²`` in the dtype of x."""
    if "complex" not in dtype_name(x):
        return x * x
    xp = namespace(x)
    real, imaginary = xp.real(x), xp.imag(x)
    return xp.astype(real * real + imaginary * imaginary, x.dtype)


def make_scalar_like(x: Array, value: float, dtype: Any = None) -> Array:
    """Make an array without axes on the device of x, in its dtype unless told another."""
    xp = namespace(x)
    zero = xp.sum(xp.zeros_like(x), dtype=x.dtype)
    return (zero if dtype is None else xp.astype(zero, dtype)) + value


def check_real(rule: Any, x: Array) -> None:
    """Expect parameters that are not complex."""
    if "complex" in dtype_name(x):
        raise ValueError(f"{type(rule).__name__} expects real parameters, got {dtype_name(x)}")


def _round(value: float, eps: float, smallest_normal: float) -> float:
    """Round to the nearest float of a dtype, ties to even, subnormal ones included."""
    spacing = eps * 2.0 ** (math.frexp(value)[1] - 1)
    spacing = max(spacing, eps * smallest_normal)
    return round(value / spacing) * spacing
