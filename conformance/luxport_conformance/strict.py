"""`array_api_strict` as a backend: code that runs on it uses only the Array API standard."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import array_api_strict as xp
import numpy as np

__all__ = ["capabilities", "name", "ops", "xp"]

name = "strict"
capabilities: frozenset[str] = frozenset()
_ARRAY = type(xp.zeros(0))
ops = SimpleNamespace()


def owns_type(array_type: type) -> bool:
    """Return whether this is the type of strict arrays."""
    return issubclass(array_type, _ARRAY)


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> Any:
    """Copy values to a new strict array."""
    host = to_numpy(values) if owns_type(type(values)) else np.array(values)
    return xp.asarray(host if dtype is None else host.astype(dtype))


def to_numpy(array: Any) -> Any:
    """Copy an array to a new NumPy array."""
    return np.array(np.from_dlpack(array))


def from_dlpack(array: Any, *, share: bool) -> Any:
    """Convert another framework's array, with `share` without a copy."""
    return xp.from_dlpack(array, copy=not share)


def devices() -> list[str]:
    """Return the name of the only device."""
    return ["cpu"]


def device_of(array: Any) -> str:
    """Return the name of the only device."""
    return "cpu"
