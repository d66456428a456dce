"""PyTorch's functions that create arrays, here on the backend and the device of a given array."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from luxport.backend import Array, find_array_device, namespace

__all__ = ["FUNCTIONS", "find_dtype"]


def find_dtype(xp: Any, given: Any) -> Any:
    """Return a namespace's dtype by its name; a dtype and None are returned unchanged."""
    return getattr(xp, given) if isinstance(given, str) else given


def arange(
    like: Array, start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None, **_: Any
) -> Array:
    """Return evenly spaced values; integers are int32, a dtype that every backend has and accepts as indices."""
    xp = namespace(like)
    start, end = (0, start) if end is None else (start, end)
    whole = all(not isinstance(number, float) for number in (start, end, step))
    kind = xp.int32 if whole and dtype in (None, "int64") else find_dtype(xp, dtype) or xp.float32
    return xp.arange(start, end, step, dtype=kind, device=find_array_device(like))


def _make_fill(value: float | None) -> Callable[..., Array]:
    def make(like: Array, *shape: Any, dtype: Any = None, device: Any = None, **options: Any) -> Array:
        fill = value
        if fill is None:
            *shape, fill = (*shape, options["fill_value"]) if "fill_value" in options else shape  # type: ignore[assignment]
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else tuple(shape)
        xp = namespace(like)
        floating = isinstance(fill, float) and not isinstance(fill, bool)
        kind = find_dtype(xp, dtype) or (xp.float32 if value is not None or floating else xp.int32)
        return xp.full(sizes, fill, dtype=kind, device=find_array_device(like))

    return make


def _eye(like: Array, n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, **_: Any) -> Array:
    xp = namespace(like)
    return xp.eye(n, m, dtype=find_dtype(xp, dtype) or xp.float32, device=find_array_device(like))


def _linspace(like: Array, start: float, end: float, steps: int, *, dtype: Any = None, **_: Any) -> Array:
    xp = namespace(like)
    return xp.linspace(start, end, steps, dtype=find_dtype(xp, dtype) or xp.float32, device=find_array_device(like))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "arange": arange,
    "eye": _eye,
    "full": _make_fill(None),
    "linspace": _linspace,
    "ones": _make_fill(1.0),
    "zeros": _make_fill(0.0),
}
