"""The order of dicts through JAX's transforms, which sort their keys: results get the order that was made.

(A type of dict that is registered to keep its order and becomes a plain dict again does not do: JAX may take apart
what it has just put together, and mixes the leaves up if it finds another type then.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport import tree
from luxport.tree.ordered_keys import list_in_order

__all__ = ["make_restorer", "restore_order", "strip_leaves"]


def restore_order(value: Any, like: Any) -> Any:
    """Return a tree with the dicts in the order of those of another, wherever the two are alike."""
    if type(value) is dict and type(like) is dict and value.keys() == like.keys():
        return {key: restore_order(value[key], like[key]) for key in list_in_order(like)}
    if isinstance(value, (tuple, list)) and type(value) is type(like) and len(value) == len(like):
        return tree.like_sequence(value, [restore_order(*pair) for pair in zip(value, like, strict=True)])
    return value


def strip_leaves(value: Any) -> Any:
    """Return a tree without its leaves, for `restore_order`."""
    if type(value) is dict:
        return {key: strip_leaves(value[key]) for key in list_in_order(value)}
    if isinstance(value, (tuple, list)):
        return tree.like_sequence(value, [strip_leaves(entry) for entry in value])
    return None


def make_restorer(like: Any, of_leaf: Callable[[Any], Callable[[Any], Any] | None]) -> Callable[[Any], Any] | None:
    """Return the function that brings a tree like this one, with sorted dicts, back into its order.

    It is made once for a program, and takes apart only what is to change: None if that is nothing. `of_leaf` says in
    the same way what is to be done with a leaf.
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
    except TypeError:  # keys of several kinds: JAX will say so
        return keys
