"""The CuPy backend: models run forward on a GPU, as NumPy runs them; CuPy has neither gradients nor a compiler.

Unverified: it was written from CuPy's documentation, and has not been run on a GPU yet. Run
`luxport conformance --backend cupy` to test it on yours.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import array_api_compat.cupy as xp  # type: ignore[import-not-found]
import cupy as _cupy  # type: ignore[import-not-found]

from luxport.backend import expect_device

__all__ = ["capabilities", "name", "ops", "xp"]

cupy: Any = _cupy

name = "cupy"

capabilities: frozenset[str] = frozenset()

ops = SimpleNamespace()


def owns_type(array_type: type) -> bool:
    """Return whether a type is CuPy's array."""
    return issubclass(array_type, cupy.ndarray)


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> Any:
    """Copy values to a new array."""
    if dtype == "bfloat16":
        raise ValueError("cupy has no dtype 'bfloat16'")
    place = None if device is None else expect_device("cupy", device, devices())
    with cupy.cuda.Device(None if place is None else int(place.partition(":")[2] or 0)):
        return cupy.array(values, dtype=dtype)


def to_numpy(array: Any) -> Any:
    """Copy an array to a NumPy array."""
    return cupy.asnumpy(array)


def from_dlpack(array: Any, *, share: bool) -> Any:
    """Return an array of another framework's array; if `share`, in the same memory."""
    shared = cupy.from_dlpack(array)
    return shared if share else shared.copy()


def devices() -> list[str]:
    """Name the GPUs: "gpu:0", …"""
    return [f"gpu:{i}" for i in range(cupy.cuda.runtime.getDeviceCount())]


def device_of(array: Any) -> str:
    """Name an array's GPU."""
    return f"gpu:{array.device.id}"
