"""`to`: trees of arrays from backend to backend, device to device, dtype to dtype."""

from __future__ import annotations

from typing import Any

from luxport import tree
from luxport.backend import Array, Backend, backend_of, get_backend

__all__ = ["to"]


def to(
    values: tree.Tree,
    *,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
    share: bool = False,
) -> tree.Tree:
    """Return the tree with its arrays on another backend, on another device, or in another floating dtype.

    Arrays are copied. With `share` an array keeps its memory wherever the two frameworks allow (through
    DLPack, on the same device, without a change of dtype): what then changes in one changes in the other.
    `dtype` converts floating and complex arrays and leaves integers and booleans alone.

    Raises: ValueError if the backend cannot hold the dtype or has no such device

    >>> import numpy as np
    >>> to({"a": np.array([1.5]), "n": np.array([1])}, dtype="float32")
    {'a': array([1.5], dtype=float32), 'n': array([1])}
    """
    target = None if backend is None else get_backend(backend)

    def move(leaf: Any) -> Array:
        owner = target or backend_of(leaf)
        kind = str(leaf.dtype)
        wanted = dtype if dtype is not None and ("float" in kind or "complex" in kind) else None
        if wanted is None and device is None and share:
            if owner is backend_of(leaf):
                return leaf
            moved = _through_dlpack(leaf, owner, share=True)
            if moved is not None:
                return moved
        if owner is backend_of(leaf):
            return owner.asarray(leaf, dtype=wanted, device=device)
        return owner.asarray(backend_of(leaf).to_numpy(leaf), dtype=wanted or _name(leaf), device=device)

    return tree.map(move, values)


def _through_dlpack(leaf: Array, owner: Backend, *, share: bool) -> Array | None:
    try:
        return owner.from_dlpack(leaf, share=share)
    except (BufferError, TypeError, ValueError, RuntimeError, AttributeError):
        # Frameworks refuse in their own ways what they cannot view: read-only memory, strides, bfloat16.
        return None


def _name(leaf: Array) -> str:
    return getattr(leaf.dtype, "name", None) or str(leaf.dtype).rpartition(".")[2]
