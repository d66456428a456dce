"""Restores the order of dicts: JAX's transforms sort their keys.

To register an ordered type of dict, which is unflattened to a plain dict, does not work: JAX may flatten a tree that it
has just unflattened, and mixes up the leaves if the type has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport import tree
from luxport.tree.ordered_keys import list_in_order

__all__ = ["make_restorer", "restore_order", "strip_leaves"]


def restore_order(value: Any, like: Any) -> Any:
    """Return a tree with its dicts in the order of those in `like`, wherever both have the same keys."""
    if type(value) is dict and type(like) is dict and value.keys() == like.keys():
        return {key: restore_order(value[key], like[key]) for key in list_in_order(like)}
    if isinstance(value, (tuple, list)) and type(value) is type(like) and len(value) == len(like):
        return tree.like_sequence(value, [restore_order(*pair) for pair in zip(value, like, strict=True)])
    return value


def strip_leaves(value: Any) -> Any:
    """Return a tree with None for its leaves, which `restore_order` takes as `like`."""
    if type(value) is dict:
        return {key: strip_leaves(value[key]) for key in list_in_order(value)}
    if isinstance(value, (tuple, list)):
        return tree.like_sequence(value, [strip_leaves(entry) for entry in value])
    return None


def make_restorer(like: Any, of_leaf: Callable[[Any], Callable[[Any], Any] | None]) -> Callable[[Any], Any] | None:
    """Return a function that restores the order of dicts in trees like this one; None if they are sorted.

    It is made once for each program, and rebuilds only those parts of a tree that change. `of_leaf` returns a function
    to apply to a leaf, or None to keep it.
    """
    if type(like) is dict:
        keys = list(list_in_order(like))
        inner = [(key, make_restorer(like[key], of_leaf)) for key in keys]
        if all(change is None for _, change in inner):
            if keys == _sort(keys):
                return None
            if len(keys) == 2:
                first, second = keys
                return lambda value: {first: value[first], second: value[second]}
            return lambda value: {key: value[key] for key in keys}
        return lambda value: {key: value[key] if change is None else change(value[key]) for key, change in inner}
    if isinstance(like, (tuple, list)):
        changes = [make_restorer(entry, of_leaf) for entry in like]
        if all(change is None for change in changes):
            return None
        return lambda value: tree.like_sequence(
            value, [x if change is None else change(x) for x, change in zip(value, changes, strict=True)]
        )
    return of_leaf(like)


def _sort(keys: list[Any]) -> list[Any]:
    try:
        return sorted(keys)
    except TypeError:  # keys of several types, for which JAX raises its own error
        return keys
