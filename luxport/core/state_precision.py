"""Convert states for a computation in another precision, and convert the new states back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from luxport import tree
from luxport.backend import find_owner, namespace

__all__ = ["convert_frozen", "restore_precision"]


def convert_frozen(st: Any, convert: Callable[[Any], Any]) -> Any:
    """Convert only the frozen parameters that a state holds."""
    if not _has_frozen(st):
        return st
    return {
        name: convert(entry) if name == "frozen_params" else convert_frozen(entry, convert)
        for name, entry in st.items()
    }


def _has_frozen(st: Any) -> bool:
    return isinstance(st, Mapping) and ("frozen_params" in st or any(map(_has_frozen, st.values())))


def restore_precision(new: Any, given: Any, old: Any) -> Any:
    """Return a layer's new states in the dtypes of the old ones; it was called with `given`, the old ones converted.

    Where the layer returned an array unchanged, the old array is returned: converting it twice would round it.
    """
    if tree.structure(new) == tree.structure(old):
        return tree.map(_restore, new, given, old)
    if isinstance(new, Mapping) and isinstance(old, Mapping) and new.keys() == old.keys():
        return {name: restore_precision(entry, given[name], old[name]) for name, entry in new.items()}
    return new  # the structure has changed, as when a layer stores its first carry


def _restore(new: Any, given: Any, old: Any) -> Any:
    if new is given:
        return old
    if find_owner(type(new)) is None or find_owner(type(old)) is None or new.dtype == old.dtype:
        return new
    xp = namespace(new)
    wide = xp.astype(new, old.dtype)
    # In a compiled loop or a checkpoint, an array that is returned unchanged is another object: compare the values.
    return wide if given is old or new.shape != given.shape else xp.where(new == given, old, wide)
