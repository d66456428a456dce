"""Copying trees of arrays from the host to a backend and back."""

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
    """Set the device for all later calls of `move_to_backend`; None means the backend's default device."""
    _device.set(device)


_COMPLEX = {"float32": "complex64", "float64": "complex128"}


def move_to_backend(values: Any, backend: Backend, dtype: str) -> Any:
    """Copy a tree of host arrays to the backend.

    Floating arrays are converted to `dtype`, complex arrays to the complex dtype of the same precision.
    """

    def place(leaf: Any) -> Any:
        kind = np.asarray(leaf).dtype.kind
        wanted = dtype if kind == "f" else _COMPLEX[dtype] if kind == "c" else None
        return backend.asarray(leaf, dtype=wanted, device=_device.get())

    return tree.map(place, values)


def move_to_host(values: Any, backend: Backend | None) -> Any:
    """Copy a tree of the backend's arrays to the host; plain Python values are returned unchanged.

    Raises: Violation if an array belongs to another backend
    """

    def take(leaf: Any) -> Any:
        if backend is None or isinstance(leaf, (bool, int, float, str)):
            return leaf
        owner = backend_of(leaf)
        if owner is not backend:
            raise Violation(f"an array of {backend.name} expected, got one of {owner.name}")
        array = backend.to_numpy(leaf)
        # NumPy has no bfloat16; float32 represents every bfloat16 number exactly.
        return array.astype("float32") if dtype_name(leaf) == "bfloat16" else array

    return tree.map(take, values)


def has_complex(values: Any) -> bool:
    """Return whether a tree of host arrays contains complex numbers."""
    return any(np.asarray(leaf).dtype.kind == "c" for leaf in tree.leaves(values))


def widen_floats(values: Any) -> Any:
    """Convert the floating leaves of a host tree to float64, and the complex leaves to complex128."""

    def widen(leaf: Any) -> Any:
        array = np.asarray(leaf)
        return array if array.dtype.kind in "biu" else array.astype("complex128" if array.dtype.kind == "c" else "f8")

    return tree.map(widen, values)
