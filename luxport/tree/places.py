"""Trees that hold one dict in many places: a few dicts can stand for more leaves than there is time to visit."""

from __future__ import annotations

from typing import Any

__all__ = ["MOST_PLACES", "check_size"]

MOST_PLACES = 1_000_000


def check_size(function: str, tree: Any) -> None:
    """Refuse a tree with more entries than there is time to visit; each dict and sequence is counted once.

    Raises: ValueError
    """
    if isinstance(tree, _CONTAINERS) and (count := _count_places(tree, {})) > MOST_PLACES:
        raise ValueError(
            f"{function} expects a tree of at most {MOST_PLACES:,} entries, got one of {count:,}: the same dicts stand "
            "in it again and again"
        )


_CONTAINERS = (dict, tuple, list)
"""Mappings of other kinds make their values when they are asked."""


def _count_places(tree: Any, known: dict[int, int]) -> int:
    count = known.get(id(tree))
    if count is None:
        values = tree.values() if isinstance(tree, dict) else tree
        inside = [_count_places(value, known) for value in values if isinstance(value, _CONTAINERS)]
        count = known[id(tree)] = len(tree) + sum(inside)
    return count
