"""Entries of trees of parameters and gradients: how they are read, compared and replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luxport import tree
from luxport.backend import Array, backend_of, dtype_name, match_shapes, namespace
from luxport.core.flat import FlatParameters
from luxport.core.input_checks import shape_text
from luxport.text import make_safe

__all__ = [
    "Path",
    "check_keys",
    "check_length",
    "copy_arrays",
    "fit_gradient",
    "flatten_gradient",
    "get_entries",
    "get_entry",
    "is_half",
    "put_entry",
    "tell_place",
    "widen",
]


Path = tuple[Any, ...]


def copy_arrays(values: Any) -> Any:
    """Copy arrays, since a compiler that reuses the memory of arguments requires that no two of them share an array."""
    return tree.map(lambda value: namespace(value).astype(value, value.dtype, copy=True), values)


def get_entry(values: Any, key: Any) -> Any:
    return None if values is None else values[key]


def get_entries(trees: tuple[Any, ...], key: Any) -> tuple[Any, ...]:
    return tuple([get_entry(one, key) for one in trees]) if trees else ()


def put_entry(values: Any, path: Path, value: Any) -> Any:
    """Return a copy with a value at a path."""
    if not path:
        return value
    key, *rest = path
    changed = put_entry(values[key], tuple(rest), value)
    if isinstance(values, Mapping):
        return {**values, key: changed}
    return tree.like_sequence(values, [changed if i == key else entry for i, entry in enumerate(values)])


def flatten_gradient(dx: Any, x: FlatParameters) -> Any:
    if isinstance(dx, FlatParameters):
        return dx.vector
    return x.layout.flatten_gradient(dx, x.vector) if isinstance(dx, Mapping) else dx


def fit_gradient(dx: Any, x: Array, path: tuple[str, ...]) -> Array:
    """Return the gradient in the dtype of its parameter, or in float32 if that is a half type."""
    shape, given = x.shape, getattr(dx, "shape", None)
    if given != shape and (given is None or not match_shapes(given, shape)):
        got = type(dx).__name__ if given is None else shape_text(dx)
        raise ValueError(f"update expects a gradient of shape {shape_text(x)}{tell_place(path)}, got {got}")
    if dx.dtype == x.dtype and not is_half(x):
        return dx
    if "complex" in str(dx.dtype) and "complex" not in str(x.dtype):
        raise ValueError(f"update expects a real gradient{tell_place(path)}, got a complex one")
    xp = backend_of(x, dx).xp
    return xp.astype(dx, xp.float32 if is_half(x) else x.dtype)


def is_half(x: Array) -> bool:
    return dtype_name(x) in ("float16", "bfloat16")


def widen(x: Array) -> Array:
    xp = namespace(x)
    return xp.astype(x, xp.float32)


def check_keys(state: Any, x: Any, dx: Any, path: tuple[str, ...]) -> None:
    for what, other in (("a gradient", dx), ("a state", state)):
        if other is not None and (not isinstance(other, Mapping) or other.keys() != x.keys()):
            got = f"entries {_show_names(other)}" if isinstance(other, Mapping) else type(other).__name__
            raise ValueError(f"update expects {what} with entries {_show_names(x)}{tell_place(path)}, got {got}")


def check_length(state: Any, x: Any, dx: Any, path: tuple[str, ...]) -> None:
    for what, other in (("a gradient", dx), ("a state", state)):
        if other is not None and (not isinstance(other, (tuple, list)) or len(other) != len(x)):
            got = f"{len(other)}" if isinstance(other, (tuple, list)) else type(other).__name__
            raise ValueError(f"update expects {what} with {len(x)} entries{tell_place(path)}, got {got}")


def _show_names(entries: Any) -> str:
    return "{" + make_safe(", ".join(map(str, entries))) + "}"


def tell_place(path: tuple[str, ...]) -> str:
    return f" at {'.'.join(map(str, path))}" if path else ""
