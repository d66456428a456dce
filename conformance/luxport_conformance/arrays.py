"""Trees on their way to a backend and back to the host."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import Backend, backend_of, dtype_name
from luxport_conformance.compare import Violation

__all__ = ["has_complex", "move_to_backend", "move_to_host", "place_on", "widen_floats"]

_device: ContextVar[str | None] = ContextVar("device", default=None)


def place_on(device: str | None) -> None:
    """Let arrays be placed on this device from now on; None leaves it to the backend."""
    _device.set(device)


_COMPLEX = {"float32": "complex64", "float64": "complex128"}


def move_to_backend(values: Any, backend: Backend, dtype: str) -> Any:
    """Copy a tree of host arrays to the backend: floating ones in this dtype, complex ones in its complex one."""

    def place(leaf: Any) -> Any:
        kind = np.asarray(leaf).dtype.kind
        wanted = dtype if kind == "f" else _COMPLEX[dtype] if kind == "c" else None
        return backend.asarray(leaf, dtype=wanted, device=_device.get())

    return tree.map(place, values)


def move_to_host(values: Any, backend: Backend | None) -> Any:
    """Copy a tree of the backend's arrays to the host; plain Python values stay as they are.

    Raises: Violation if an array is of another backend
    """

    def take(leaf: Any) -> Any:
        if backend is None or isinstance(leaf, (bool, int, float, str)):
            return leaf
        owner = backend_of(leaf)
        if owner is not backend:
            raise Violation(f"an array of {backend.name} expected, got one of {owner.name}")
        array = backend.to_numpy(leaf)
        # NumPy has no bfloat16 of its own; float32 holds all of its numbers.
        return array.astype("float32") if dtype_name(leaf) == "bfloat16" else array

    return tree.map(take, values)


def has_complex(values: Any) -> bool:
    """Tell whether a tree of host arrays has complex numbers."""
    return any(np.asarray(leaf).dtype.kind == "c" for leaf in tree.leaves(values))


def widen_floats(values: Any) -> Any:
    """Convert the floating leaves of a host tree to float64."""

    def widen(leaf: Any) -> Any:
        array = np.asarray(leaf)
        return array if array.dtype.kind in "biu" else array.astype("complex128" if array.dtype.kind == "c" else "f8")

    return tree.map(widen, values)
