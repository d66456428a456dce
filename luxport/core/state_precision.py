"""States on their way through a computation in another precision, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from luxport import tree
from luxport.backend import find_owner, namespace

__all__ = ["convert_frozen", "restore_precision"]


def convert_frozen(st: Any, convert: Callable[[Any], Any]) -> Any:
    """Convert the parameters that stand among the states because they are frozen; nothing else."""
    if not _has_frozen(st):
        return st
    return {
        name: convert(entry) if name == "frozen_params" else convert_frozen(entry, convert)
        for name, entry in st.items()
    }


def _has_frozen(st: Any) -> bool:
    return isinstance(st, Mapping) and ("frozen_params" in st or any(map(_has_frozen, st.values())))


def restore_precision(new: Any, given: Any, old: Any) -> Any:
    """Return the new states in the dtypes of the old ones, of which the layer was given conversions.

    An array that it handed on is the old one, to the bit: converting there and back would round it at the first call.
    """
    if tree.structure(new) == tree.structure(old):
        return tree.map(_restore, new, given, old)
    if isinstance(new, Mapping) and isinstance(old, Mapping) and new.keys() == old.keys():
        return {name: restore_precision(entry, given[name], old[name]) for name, entry in new.items()}
    return new  # a state that grows, such as a first carry


def _restore(new: Any, given: Any, old: Any) -> Any:
    if new is given:
        return old
    if find_owner(type(new)) is None or find_owner(type(old)) is None or new.dtype == old.dtype:
        return new
    xp = namespace(new)
    wide = xp.astype(new, old.dtype)
    # Within a compiled part, such as a loop or a checkpoint, what is handed on is another array.
    return wide if given is old or new.shape != given.shape else xp.where(new == given, old, wide)
