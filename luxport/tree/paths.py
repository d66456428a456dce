"""Find, replace, select and remove entries of nested dicts by paths: ``"a.b"`` or ``("a", "b")``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from luxport.text import make_safe, show

__all__ = ["Path", "split_path", "find_entry", "leave_out", "merge", "replace", "select", "sort_like"]

Path: TypeAlias = str | tuple[str, ...]


def split_path(path: Path) -> tuple[str, ...]:
    """Return a path as a tuple of keys, splitting a string at its dots.

    >>> split_path("layer_1.weight")
    ('layer_1', 'weight')
    """
    return tuple(path.split(".")) if isinstance(path, str) else tuple(path)


def find_entry(tree: Any, path: Path) -> Any:
    """Return the subtree or leaf at a path.

    Raises: ValueError if there is none, with the entries that exist

    >>> find_entry({"a": {"b": 1}}, "a.b")
    1
    """
    steps = split_path(path)
    for depth, step in enumerate(steps):
        if not isinstance(tree, Mapping) or step not in tree:
            found = make_safe(", ".join(map(str, tree))) if isinstance(tree, Mapping) else "an array"
            where = f" at {make_safe('.'.join(steps[:depth]))}" if depth else ""
            raise ValueError(f"a path of an entry expected, got {show('.'.join(steps))}:{where or ' there'} is {found}")
        tree = tree[step]
    return tree


def replace(tree: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """Return the tree with another subtree or leaf at a path; a new entry is added at the end.

    >>> replace({"a": {"b": 1}, "c": 2}, "a.b", 3)
    {'a': {'b': 3}, 'c': 2}
    """
    first, *rest = split_path(path)
    return {**tree, first: replace(tree.get(first, {}), tuple(rest), value) if rest else value}


def leave_out(tree: Mapping[str, Any], paths: Iterable[Path]) -> dict[str, Any]:
    """Return the tree without the entries at these paths; a path that does not exist is ignored.

    >>> leave_out({"a": {"b": 1, "c": 2}, "d": 3}, ["a.b", "d"])
    {'a': {'c': 2}}
    """
    result = dict(tree)
    for path in map(split_path, paths):
        if len(path) == 1:
            result.pop(path[0], None)
        elif path[0] in result:
            result[path[0]] = leave_out(result[path[0]], [path[1:]])
    return result


def select(tree: Mapping[str, Any], paths: Iterable[Path]) -> dict[str, Any]:
    """Return a tree of only the entries at these paths.

    >>> select({"a": {"b": 1, "c": 2}, "d": 3}, ["a.b", "d"])
    {'a': {'b': 1}, 'd': 3}
    """
    result: dict[str, Any] = {}
    for path in paths:
        result = replace(result, path, find_entry(tree, path))
    return result


def merge(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two trees recursively; where both have a leaf, the second's is taken.

    >>> merge({"a": {"b": 1}}, {"a": {"c": 2}, "d": 3})
    {'a': {'b': 1, 'c': 2}, 'd': 3}
    """
    result = dict(one)
    for key, value in other.items():
        mine = result.get(key)
        result[key] = merge(mine, value) if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return result


def sort_like(tree: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tree with its keys in the order of another tree that has the same keys."""
    return {
        key: sort_like(tree[key], inner) if isinstance(inner, Mapping) else tree[key] for key, inner in like.items()
    }
