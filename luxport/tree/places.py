"""Trees in which dicts occur many times: a few of them can stand for more leaves than can be walked through."""

from __future__ import annotations

from typing import Any

__all__ = ["MOST_PLACES", "check_size"]

MOST_PLACES = 1_000_000


def check_size(function: str, tree: Any) -> None:
    """Refuse a tree with more entries than can be walked through: each dict and sequence is looked at once.

    Raises: ValueError
    """
    if isinstance(tree, _CONTAINERS) and (count := _places(tree, {})) > MOST_PLACES:
        raise ValueError(
            f"{function} expects a tree of at most {MOST_PLACES:,} entries, got one of {count:,}: the same dicts stand "
            "in it again and again"
        )


_CONTAINERS = (dict, tuple, list)
"""Mappings of other kinds make their values when they are asked."""


def _places(tree: Any, known: dict[int, int]) -> int:
    count = known.get(id(tree))
    if count is None:
        values = tree.values() if isinstance(tree, dict) else tree
        inside = [_places(value, known) for value in values if isinstance(value, _CONTAINERS)]
        count = known[id(tree)] = len(tree) + sum(inside)
    return count
