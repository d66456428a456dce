"""Arrays made of other values: `asarray`, `astype`, `from_dlpack`."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ._arrays import (
    SCALARS,
    Array,
    R,
    Tensor,
    cast,
    make_constant,
    make_tensor,
    place_on,
    promote_all,
)  # fmt: skip
from ._dtypes import (
    DEFAULT_COMPLEX,
    DEFAULT_FLOAT,
    DEFAULT_INT,
    INTEGER,
    LIMITS,
    find_dtype,
    is_complex,
    is_integer,
)  # fmt: skip

__all__ = ["asarray", "astype", "from_dlpack"]


def find_default_dtype(value: Any) -> tf.DType:
    """Return the default type of a Python scalar."""
    if isinstance(value, bool):
        return tf.bool
    if isinstance(value, int):
        return DEFAULT_INT
    if isinstance(value, float):
        return DEFAULT_FLOAT
    if isinstance(value, complex):
        return DEFAULT_COMPLEX
    raise TypeError(f"expected a Python scalar, got {type(value).__name__}")


_OF_PYTHON = {"b": tf.bool, "i": DEFAULT_INT, "u": tf.uint64, "f": DEFAULT_FLOAT, "c": DEFAULT_COMPLEX}


def _list_leaves(obj: Any):
    if isinstance(obj, (list, tuple)):
        for item in obj:
            yield from _list_leaves(item)
    else:
        yield obj


def _convert_sequence(obj: Any, dtype: tf.DType | None) -> tf.Tensor:
    leaves = list(_list_leaves(obj))
    if any(isinstance(leaf, tf.Variable | Tensor) for leaf in leaves):
        return _stack(obj, dtype)
    values = np.asarray(obj)
    if dtype is None and all(isinstance(leaf, SCALARS) for leaf in leaves):
        if values.dtype.kind not in _OF_PYTHON:
            raise OverflowError("a Python int is too large for every integer dtype")
        dtype = _OF_PYTHON[values.dtype.kind] if leaves else DEFAULT_FLOAT
    return convert_from_numpy(values, dtype)


def _stack(obj: Any, dtype: tf.DType | None) -> Any:
    # Stacked level by level, so that gradients reach the tensors inside.
    if isinstance(obj, (list, tuple)):
        items = [_stack(item, dtype) for item in obj]
        found = [x for x in items if isinstance(x, Tensor)]
        common = promote_all(found)[0].dtype if found else find_default_dtype(obj[0])
        return R.Pack(values=[cast(x, common) if isinstance(x, Tensor) else make_constant(x, common) for x in items])
    if isinstance(obj, SCALARS):
        return obj if dtype is None else make_constant(obj, dtype)
    x = make_tensor(obj)
    return x if dtype is None else astype(x, dtype)


def convert_from_numpy(values: np.ndarray, dtype: tf.DType | None) -> tf.Tensor:
    if values.dtype.kind not in "biufcV" or (values.dtype.kind == "V" and values.dtype.fields):
        raise TypeError(f"asarray takes numbers and booleans, got NumPy's {values.dtype}")
    if dtype is None:
        dtype = find_dtype(values.dtype)
    if values.dtype.kind in "iu" and dtype in INTEGER and values.size:
        low, high = LIMITS[dtype]
        if int(values.min()) < low or int(values.max()) > high:
            raise OverflowError(f"values {values.min()} … {values.max()} are out of bounds for {dtype.name}")
    if values.dtype.kind == "c" and not is_complex(dtype):
        raise TypeError(f"complex values do not convert to {dtype.name}; take real or imag first")
    return tf.constant(np.asarray(values, dtype.as_numpy_dtype), dtype)


def asarray(
    obj: Any, /, *, dtype: tf.DType | None = None, device: str | None = None, copy: bool | None = None
) -> tf.Tensor:
    """Convert a tensor, a Python scalar, nested sequences of those, a NumPy array or a buffer to a tensor.

    Tensors inside sequences keep their gradients. Python floats become float32, ints int64, complex
    numbers complex64. ``copy=False`` raises ValueError where a copy is needed, which is all but tensors.
    """
    dtype = None if dtype is None else find_dtype(dtype)
    with place_on(device):
        if isinstance(obj, tf.Variable) or (not isinstance(obj, Tensor) and hasattr(type(obj), "__tf_tensor__")):
            obj = make_tensor(obj)
        if isinstance(obj, Tensor):
            if dtype is not None and obj.dtype is not dtype:
                if copy is False:
                    raise ValueError(f"{obj.dtype.name} to {dtype.name} needs a copy, which copy=False forbids")
                return astype(obj, dtype)
            return R.Identity(input=obj) if copy or device is not None else obj
        if copy is False:
            raise ValueError(f"a tensor of a {type(obj).__name__} is a copy, which copy=False forbids")
        if isinstance(obj, SCALARS) and not isinstance(obj, np.generic):
            if dtype is None:
                dtype = find_default_dtype(obj)
            if is_integer(dtype) or isinstance(obj, complex):
                return convert_from_numpy(np.asarray(obj), dtype)
            return make_constant(obj, dtype)
        if isinstance(obj, (list, tuple)):
            return _convert_sequence(obj, dtype)
        return convert_from_numpy(np.asarray(obj), dtype)


def astype(x: Array, dtype: tf.DType, /, *, copy: bool = True, device: str | None = None) -> tf.Tensor:
    """Convert to ``dtype``. A complex number becomes its real part; a number other than 0 becomes True.

    Tensors never change, so ``x`` itself is returned if it has the type already, whatever ``copy``.
    """
    x, dtype = make_tensor(x), find_dtype(dtype)
    with place_on(device):
        if x.dtype is dtype:
            return x if device is None else R.Identity(input=x)
        if dtype is tf.bool:
            return R.NotEqual(x=x, y=tf.constant(0, x.dtype))
        return cast(x, dtype)


def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> tf.Tensor:
    """Return a tensor of an object with ``__dlpack__``, sharing its memory where that is aligned to 64 bytes."""
    if isinstance(x, Tensor):
        return asarray(x, device=device, copy=copy)
    shared = np.from_dlpack(x)
    if shared.ctypes.data % 64 or copy:  # TensorFlow ends the process on a misaligned buffer
        if copy is False:
            raise ValueError("the buffer is not aligned to 64 bytes: a copy is needed, which copy=False forbids")
        return asarray(shared, device=device)
    with place_on(device):
        result = tf.experimental.dlpack.from_dlpack(x.__dlpack__())
    return result if device is None else asarray(result, device=device)
