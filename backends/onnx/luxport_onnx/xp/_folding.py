"""Functions of constants are computed by NumPy (`fold_constants`); promotion, broadcasting and conversion."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import array_api_compat.numpy as host
import numpy as np

from luxport import tree
from luxport.ops.shapes import broadcast_sizes
from luxport_onnx.graph import SAMPLES, Array, make_constant, record

__all__ = [
    "make_array", "astype", "broadcast_shapes", "fold_constants", "promote_arrays", "make_refusal", "make_scalar",
    "make_vector",
]  # fmt: skip


def fold_constants(function: Callable[..., Any], name: str = "") -> Callable[..., Any]:
    """Let a function of the Array API compute with NumPy where no argument depends on an input of the graph.

    Args:
        function: what records its operators
        name: its name in the Array API, if it has not that name itself
    """
    by_numpy = getattr(host, name or function.__name__)

    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        arrays = [leaf for leaf in tree.leaves((args, options)) if type(leaf) is Array]
        if not arrays or not all([array.is_constant for array in arrays]):
            return function(*args, **options)
        names = {array.name for array in arrays if array.name is not None}
        args, options = tree.map(lambda leaf: leaf.value if type(leaf) is Array else leaf, (args, options))
        with np.errstate(all="ignore"):
            result = by_numpy(*args, **options)
        # A constant computed from one parameter alone keeps its name.
        kept = names.pop() if len(names) == 1 else None
        if isinstance(result, (tuple, list)):
            return tuple([make_constant(part, kept) for part in result])
        return make_constant(result, kept)

    wrapper.__name__ = wrapper.__qualname__ = name or function.__name__
    return wrapper


def make_array(x: Any, dtype: Any = None) -> Array:
    """Return a number as a constant of this dtype, and an array as it is."""
    if type(x) is Array:
        return x
    return make_constant(np.asarray(x, dtype=dtype))


def astype(x: Array, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    """Convert to another dtype."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if x.is_constant:
        with np.errstate(all="ignore"):
            return make_constant(_spread(x.value, lambda value: value.astype(dtype)), x.name)
    made = record("Cast", x, dtype=dtype, shapes=x.shapes, to=dtype)
    made.splat = None if x.splat is None else np.asarray(x.splat).astype(dtype)[()]
    made.numbers = None if x.numbers is None else tuple([np.asarray(n).astype(dtype)[()] for n in x.numbers])
    return made


def _spread(value: Any, f: Any) -> Any:
    """Apply f to each entry, or to one entry of an array that repeats it."""
    if value.size and value.ndim and not any(value.strides):
        return np.broadcast_to(f(np.asarray(value[(0,) * value.ndim])), value.shape)
    return f(value)


def promote_arrays(*xs: Any) -> tuple[Array, ...]:
    """Return arrays in the dtype to which they promote; Python's numbers become constants of that dtype."""
    dtype = np.result_type(*[x.dtype if isinstance(x, (Array, np.ndarray, np.generic)) else x for x in xs])
    return tuple([astype(x, dtype) if type(x) is Array else make_constant(np.asarray(x, dtype)) for x in xs])


def broadcast_shapes(*arrays: Array) -> tuple[tuple[int, ...], ...]:
    """Broadcast the arrays' shapes, for each sample of the free sizes."""
    return tuple([broadcast_sizes(*[array.shapes[i] for array in arrays]) for i in range(SAMPLES)])


def make_scalar(value: Any, dtype: Any) -> Array:
    """Return a constant without axes."""
    return make_constant(np.asarray(value, dtype))


def make_vector(values: Any) -> Array:
    """Return a vector of int64, of ints and of sizes that only the running graph knows."""
    values = list(values)
    if not any([type(value) is Array and not value.is_constant for value in values]):
        return make_constant(np.asarray([int(v.value) if type(v) is Array else int(v) for v in values], np.int64))
    parts = [_make_entry(astype(make_array(value, np.int64), np.int64)) for value in values]
    if len(parts) == 1:
        return parts[0]
    return record("Concat", *parts, dtype=parts[0].dtype, shapes=[(len(parts),)] * SAMPLES, axis=0)


def _make_entry(number: Array) -> Array:
    node = number.node
    if number.is_constant:
        return make_constant(np.reshape(number.value, (1,)), number.name)
    if node is not None and node.operator == "Squeeze" and node.inputs[0].ndim == 1:  # type: ignore[union-attr]
        return node.inputs[0]  # type: ignore[return-value]
    axes = make_constant(np.zeros(1, np.int64))
    return record("Unsqueeze", number, axes, dtype=number.dtype, shapes=[(1,)] * SAMPLES)


def make_refusal(name: str, reason: str) -> Callable[..., Any]:
    """Return a function that raises an error which says why ONNX has none of this name."""

    def refuse(*args: Any, **options: Any) -> Any:
        raise TypeError(f"onnx has no {name}: {reason}")

    refuse.__name__ = name
    return refuse


def cast_through(x: Array, through: Any, f: Callable[[Array], Array]) -> Array:
    """Compute in another dtype, and return in that of x."""
    return astype(f(astype(x, np.dtype(through))), x.dtype)


def record_same(operator: str, x: Array, **attributes: Any) -> Array:
    """Record an operator of one array that keeps shape and dtype."""
    return record(operator, x, dtype=x.dtype, shapes=x.shapes, **attributes)
