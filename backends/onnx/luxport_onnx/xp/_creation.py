"""New arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport_onnx.graph import SAMPLES, Array, make_constant, record
from luxport_onnx.xp._folding import astype, fold_constants, make_scalar, make_vector
from luxport_onnx.xp._manipulation import broadcast_to, read_sizes, stack

__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "full", "full_like", "linspace", "ones", "ones_like", "zeros",
    "zeros_like",
]  # fmt: skip


def asarray(x: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Array:
    """Return values as a constant, and an array as it is."""
    if type(x) is Array:
        return x if dtype is None else astype(x, dtype)
    if isinstance(x, (list, tuple)) and any([type(part) is Array for part in x]):
        return stack([asarray(part, dtype=dtype) for part in x])
    return make_constant(np.array(x, dtype=dtype))


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """Fill a shape, some of whose sizes only the running graph may know."""
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    if type(fill_value) is Array and not fill_value.is_constant:
        return broadcast_to(fill_value if dtype is None else astype(fill_value, dtype), tuple(sizes))
    value = np.asarray(fill_value.value if type(fill_value) is Array else fill_value, dtype=dtype)
    if not any([type(size) is Array and not size.is_constant for size in sizes]):
        return make_constant(np.broadcast_to(value, [int(n.value) if type(n) is Array else int(n) for n in sizes]))
    shapes = [tuple([int(n.numbers[i]) if type(n) is Array else int(n) for n in sizes]) for i in range(SAMPLES)]
    return _fill(make_vector(sizes), value, shapes)


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """Fill with 0."""
    return full(shape, 0, dtype=dtype or np.float64)


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """Fill with 1."""
    return full(shape, 1, dtype=dtype or np.float64)


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """Fill with 0."""
    return zeros(shape, dtype=dtype)


def full_like(x: Array, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """Fill the shape of x."""
    dtype = np.dtype(dtype or x.dtype)
    if type(fill_value) is Array and not fill_value.is_constant:
        return full(read_sizes(x), fill_value, dtype=dtype)
    value = np.asarray(fill_value.value if type(fill_value) is Array else fill_value).astype(dtype)
    shape = x.shape
    if None not in shape:
        return make_constant(np.broadcast_to(value, shape))  # type: ignore[arg-type]
    sizes = record("Shape", x, dtype=np.int64, shapes=[(len(shape),)] * SAMPLES)
    return _fill(sizes, value, x.shapes)


def zeros_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    """Fill the shape of x with 0."""
    return full_like(x, 0, dtype=dtype)


def ones_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    """Fill the shape of x with 1."""
    return full_like(x, 1, dtype=dtype)


def empty_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    """Fill the shape of x with 0."""
    return full_like(x, 0, dtype=dtype)


@fold_constants
def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Array:
    """Count from start to below stop."""
    start, stop = (0, start) if stop is None else (start, stop)
    ends = start, stop, step
    if not any([type(end) is Array for end in ends]):
        return make_constant(np.arange(start, stop, step, dtype=dtype))
    known = [
        [(end.numbers[i] if end.value is None else end.value) if type(end) is Array else end for end in ends]
        for i in range(SAMPLES)
    ]
    counts = [len(range(*map(int, numbers))) for numbers in known]
    wanted = np.dtype(dtype or np.int64)
    kind = wanted if wanted in (np.int64, np.int32) else np.dtype(np.int64)
    inputs = [astype(end, kind) if type(end) is Array else make_scalar(end, kind) for end in ends]
    return astype(record("Range", *inputs, dtype=kind, shapes=[(n,) for n in counts]), wanted)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Array:
    """Return ones on a diagonal."""
    return make_constant(np.eye(n_rows, n_cols, k=k, dtype=dtype))


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True
) -> Array:
    """Return evenly spaced numbers."""
    return make_constant(np.linspace(start, stop, num, dtype=dtype, endpoint=endpoint))


def _fill(sizes: Array, value: Any, shapes: Any) -> Array:
    made = record("ConstantOfShape", sizes, dtype=value.dtype, shapes=shapes, value=np.reshape(value, (1,)))
    made.splat = value[()]
    return made
