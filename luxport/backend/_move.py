"""`to`: move the arrays of a tree to another backend or device, or convert them to another dtype."""

from __future__ import annotations

from typing import Any

from luxport import tree
from luxport.backend._capabilities import can
from luxport.backend._dtype_names import check_dtype_name, dtype_name
from luxport.backend._precision import choose_dtype_at, convert_once
from luxport.backend._protocol import Array, Backend
from luxport.backend._registry import backend_of, get_backend
from luxport.call_arguments import explain_call_errors
from luxport.tree.ordered_keys import add_places
from luxport.tree.size_limit import check_size

__all__ = ["to", "to_numpy"]


@explain_call_errors
def to(
    values: tree.Tree,
    *,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
    share: bool = False,
) -> tree.Tree:
    """Return the tree with its arrays on another backend, on another device, or in another floating dtype.

    Arrays are copied. An array that occurs several times in the tree (the same object) is one array afterward, too.
    Gradients flow through a change of dtype, and not to another backend.

    With `share` an array keeps its memory wherever the two frameworks allow it (through DLPack, on the same device,
    without a change of dtype): a change of one array then changes the other.

    `dtype` converts floating arrays and leaves integers and booleans unchanged, and complex arrays too unless it is
    complex. If it is a half type, running statistics (``running_mean`` and ``running_var`` of `BatchNorm` and others)
    become float32 instead: in half precision, updates would be too small to change them. Layers accept float32
    statistics beside half parameters.

    Args:
        values: a tree of arrays
        backend: the backend to move the arrays to; None to leave each with its own
        device: on which of its devices
        dtype: the floating dtype to convert them to; None for their own
        share: whether to share memory instead of copying, where the frameworks can

    Raises: ValueError if the dtype is unknown, or the backend cannot hold it or has no such device

    >>> import numpy as np
    >>> to({"a": np.array([1.5]), "n": np.array([1])}, dtype="float32")
    {'a': array([1.5], dtype=float32), 'n': array([1])}
    """
    check_size("to", values)
    target = None if backend is None else get_backend(backend)
    check_dtype_name(dtype, floating=True)

    def move(path: tuple[str, ...], leaf: Any) -> Array:
        source = backend_of(leaf)
        owner = target or source
        wanted = choose_dtype_at(path, dtype) if _is_converted(dtype_name(leaf), dtype) else None
        if share and device is None and wanted in (None, dtype_name(leaf)):
            shared = leaf if owner is source else _try_sharing(leaf, owner)
            if shared is not None:
                return shared
        return owner.asarray(leaf if owner is source else source.to_numpy(leaf), dtype=wanted, device=device)

    result = tree.map_with_path(convert_once(move, dtype), values)
    if target is None:
        return result
    if not _has_sorted_keys(target):
        return add_places(result, known=False)
    # If the source sorts keys as well, the current order may not be the model's: it is not stored as positions.
    first = next(iter(tree.leaves(values)), None)
    return result if first is None or _has_sorted_keys(backend_of(first)) else add_places(result)


def _has_sorted_keys(backend: Backend) -> bool:
    return can(backend, "sorted keys")


@explain_call_errors
def to_numpy(values: tree.Tree) -> tree.Tree:
    """Return the tree with its arrays copied to NumPy, from whichever backend and device they are on.

    >>> import luxport
    >>> to_numpy({"a": luxport.asarray([1.5], backend="torch")})
    {'a': array([1.5], dtype=float32)}
    """
    return to(values, backend="numpy")


def _is_converted(kind: str, dtype: str | None) -> bool:
    if dtype is None:
        return False
    return "float" in kind or ("complex" in kind and "complex" in dtype)


def _try_sharing(leaf: Array, owner: Backend) -> Array | None:
    try:
        return owner.from_dlpack(leaf, share=True)
    except (BufferError, TypeError, ValueError, RuntimeError, AttributeError):
        # Each framework has its own error for an array whose memory it cannot share: read-only, strided, bfloat16.
        return None
