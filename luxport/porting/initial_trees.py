"""`fill_trees`: replace initial values of a tree by given ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["fill_trees"]


def fill_trees(initial: Mapping[str, Any], given: Mapping[str, Any], caller: str) -> dict[str, Any]:
    """Return a tree of initial values, where given values replace those of the same path.

    Raises: ValueError for a given value whose path is not in the tree
    """
    unknown = [name for name in given if name not in initial]
    if unknown:
        raise ValueError(f"{caller}: the entry {unknown[0]!r} is none of {', '.join(initial) or 'no entries'}")
    return {
        name: fill_trees(value, given.get(name, {}), caller) if isinstance(value, Mapping) else given.get(name, value)
        for name, value in initial.items()
    }
