"""A limit on the size of trees: a dict that occurs at many paths makes a tree of a few dicts too large to traverse."""

from __future__ import annotations

from typing import Any

__all__ = ["MOST_ENTRIES", "check_size"]

MOST_ENTRIES = 1_000_000


def check_size(function: str, tree: Any) -> None:
    """Expect a tree of at most `MOST_ENTRIES` entries, counted at every path.

    Each dict and sequence is visited only once, so that the check is fast for any tree.

    Raises: ValueError
    """
    if isinstance(tree, _CONTAINERS) and (count := _count_entries(tree, {})) > MOST_ENTRIES:
        raise ValueError(
            f"{function} expects a tree of at most {MOST_ENTRIES:,} entries, got one of {count:,}: the same dicts "
            "occur in it many times"
        )


_CONTAINERS = (dict, tuple, list)
"""Other mappings are not looked into, as they may compute their values when they are read."""


def _count_entries(tree: Any, known: dict[int, int]) -> int:
    count = known.get(id(tree))
    if count is None:
        values = tree.values() if isinstance(tree, dict) else tree
        inside = [_count_entries(value, known) for value in values if isinstance(value, _CONTAINERS)]
        count = known[id(tree)] = len(tree) + sum(inside)
    return count
