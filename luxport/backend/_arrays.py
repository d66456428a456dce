"""Make arrays from values (`asarray`), and read the namespace, device, dtype and shape of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport.backend._choice import default_backend
from luxport.backend._dtype_names import check_dtype_name, dtype_name
from luxport.backend._protocol import Array, Backend
from luxport.backend._registry import backend_of, find_owner, get_backend
from luxport.call_arguments import explain_call_errors
from luxport.text import show

__all__ = ["find_array_device", "asarray", "is_inexact", "namespace", "match_shapes", "match_sizes"]


def namespace(*arrays: Array) -> Any:
    """Return the Array API namespace of the backend that owns these arrays.

    >>> import numpy as np
    >>> namespace(np.zeros(2)).__name__
    'luxport_numpy.xp'
    """
    return backend_of(*arrays).xp


def find_array_device(array: Array) -> Any:
    """Return the device of an array as its namespace's creation functions take it; None where a compiler has none yet.

    It is also None for an array that is sharded over several devices, as a sharding fits arrays of one shape only.

    >>> import numpy as np
    >>> find_array_device(np.zeros(2))
    'cpu'
    """
    device = getattr(array, "device", None)
    return None if getattr(device, "device_set", None) is not None else device


@explain_call_errors
def asarray(
    values: Any, *, backend: str | Backend | None = None, device: str | None = None, dtype: str | None = None
) -> Array:
    """Copy values to a new array of the chosen backend.

    Python's floats become float32, the default dtype of luxport; arrays of any backend keep their dtype. (JAX outside
    its 64-bit mode takes int64 as int32, if the values fit.)

    Args:
        values: numbers in nested sequences, or an array of any backend
        backend: where the arrays are; the default backend if None
        device: on which of its devices
        dtype: the dtype by name; None for float32 from Python's floats, else for what the values have

    Raises: ValueError if the dtype is unknown, or if the backend cannot hold it or the values;
            TypeError if the values are not numbers

    >>> asarray([1.0, 2.0], backend="numpy")
    array([1., 2.], dtype=float32)
    """
    owner = default_backend() if backend is None else get_backend(backend)
    check_dtype_name(dtype)
    source = find_owner(type(values))
    if source is None:
        try:
            values = np.asarray(values)
        except ValueError:  # rows of several lengths
            raise TypeError(f"asarray expects numbers in rows of one length, got {show(values)}") from None
        values = values.astype({"float64": "float32", "complex128": "complex64"}.get(values.dtype.name, values.dtype))
    elif source is not owner:
        values = source.to_numpy(values)
    if isinstance(values, (np.ndarray, np.generic)) and values.dtype.kind in "OSUMm":
        raise TypeError(f"asarray expects numbers, got values of the dtype {values.dtype}")
    return owner.asarray(values, dtype=dtype, device=device)


def is_inexact(value: Any) -> bool:
    """Return whether a value is an array of floating or complex numbers.

    >>> import numpy as np
    >>> is_inexact(np.zeros(2)), is_inexact(np.array(1)), is_inexact(0.5)
    (True, False, False)
    """
    # This comes first because torch.compile cannot look up the base classes of Python's own types, as find_owner does.
    if getattr(value, "dtype", None) is None or find_owner(type(value)) is None:
        return False
    kind = dtype_name(value)
    return "float" in kind or "complex" in kind


def match_shapes(shape: Any, other: Any) -> bool:
    """Return whether two shapes can be equal; a size that is None, not known during compilation, equals any.

    >>> match_shapes((2, None), (2, 3)), match_shapes((2, 3), (3, 2))
    (True, False)
    """
    return len(shape) == len(other) and all([match_sizes(n, m) for n, m in zip(shape, other, strict=True)])


def match_sizes(n: int | None, m: int | None) -> bool:
    """Return whether two sizes can be equal; a size that is None, not known during compilation, equals any.

    Compare sizes by this or by ``==``, never by ``n in (m, None)``: that is False where m is a number that PyTorch's
    compiler keeps symbolic, as it does with an option of a layer from the second model on.

    >>> match_sizes(2, 2), match_sizes(2, None), match_sizes(2, 3)
    (True, True, False)
    """
    return n == m or n is None or m is None
