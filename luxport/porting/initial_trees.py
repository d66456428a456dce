"""Trees of initial values into which others are put."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["fill_trees"]


def fill_trees(initial: Mapping[str, Any], given: Mapping[str, Any], caller: str) -> dict[str, Any]:
    """Return a tree of initial values with those that are given, and no others.

    Raises: ValueError for one that has no place
    """
    strange = [name for name in given if name not in initial]
    if strange:
        raise ValueError(f"{caller}: an entry {strange[0]!r} has no place among {', '.join(initial) or 'none'}")
    return {
        name: fill_trees(value, given.get(name, {}), caller) if isinstance(value, Mapping) else given.get(name, value)
        for name, value in initial.items()
    }
