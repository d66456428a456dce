"""`f16`, `bf16`, `f32`, `f64`: convert the floating arrays of a tree to a precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport import tree
from luxport.backend._dtype_names import dtype_name
from luxport.backend._protocol import Array
from luxport.backend._registry import backend_of
from luxport.call_arguments import explain_call_errors
from luxport.text import show

__all__ = ["bf16", "f16", "f32", "f64"]


@explain_call_errors
def f16(values: tree.Tree) -> tree.Tree:
    """Convert the floating arrays of a tree to float16.

    Integers, booleans and complex numbers (which have no half precision) stay as they are, and arrays that have the
    dtype already are not copied. Running statistics become float32 instead, as in half precision updates would be too
    small to change them. An array that occurs several times stays one array. Gradients flow through.

    Source: Lux.jl ``f16``

    >>> import numpy as np
    >>> f16({"a": np.ones(1, np.float32), "n": np.ones(1, np.int32)})
    {'a': array([1.], dtype=float16), 'n': array([1], dtype=int32)}
    """
    return _convert("f16", values, "float16", None)


@explain_call_errors
def bf16(values: tree.Tree) -> tree.Tree:
    """Convert the floating arrays of a tree to bfloat16. See `f16`.

    Raises: ValueError on a backend without it, as NumPy is without ml_dtypes
    Source: Lux.jl ``bf16``
    """
    return _convert("bf16", values, "bfloat16", None)


@explain_call_errors
def f32(values: tree.Tree) -> tree.Tree:
    """Convert the floating arrays of a tree to float32, and complex ones to complex64. See `f16`.

    Source: Lux.jl ``f32``
    """
    return _convert("f32", values, "float32", "complex64")


@explain_call_errors
def f64(values: tree.Tree) -> tree.Tree:
    """Convert the floating arrays of a tree to float64, and complex ones to complex128. See `f16`.

    Raises: ValueError on JAX outside its 64-bit mode
    Source: Lux.jl ``f64``
    """
    return _convert("f64", values, "float64", "complex128")


def _convert(caller: str, values: tree.Tree, floating: str, complex_: str | None) -> tree.Tree:
    def convert(path: tuple[str, ...], leaf: Array) -> Array:
        try:
            kind = dtype_name(leaf)
        except AttributeError:
            raise TypeError(f"{caller} expects a tree of arrays, got {show(leaf)} in it") from None
        wanted = choose_dtype_at(path, floating) if "float" in kind else complex_ if "complex" in kind else None
        return leaf if wanted in (None, kind) else backend_of(leaf).asarray(leaf, dtype=wanted)

    return tree.map_with_path(convert_once(convert, floating), values)


def convert_once(convert: Callable[[tuple[str, ...], Any], Array], dtype: str | None) -> Callable[..., Array]:
    """Return `convert` with a memory, so that an array that occurs several times in a tree is converted once.

    An array is converted twice if its paths ask for two dtypes, see `choose_dtype_at`.
    """
    # The table holds the arrays as well as their ids: the id of an array that was freed may be reused for another.
    converted: dict[tuple[int, str | None], tuple[Any, Any]] = {}

    def once(path: tuple[str, ...], leaf: Any) -> Array:
        key = id(leaf), choose_dtype_at(path, dtype)
        if key not in converted:
            converted[key] = leaf, convert(path, leaf)
        return converted[key][1]

    return once


def choose_dtype_at(path: tuple[str, ...], dtype: str | None) -> str | None:
    """Return the dtype of a floating array at this path when its tree is converted to `dtype`.

    Running statistics become float32 in place of a half type: the update of one batch would be rounded away, and a
    variance may exceed float16's range.

    >>> choose_dtype_at(("layer_1", "running_var"), "float16"), choose_dtype_at(("layer_1", "scale"), "float16")
    ('float32', 'float16')
    """
    running = bool(path) and path[-1] in ("running_mean", "running_var")
    return "float32" if running and dtype in ("float16", "bfloat16") else dtype
