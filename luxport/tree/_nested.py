"""Functions on trees of arrays: nested dicts (any mapping), tuples and lists, whose order is kept.

Parameters and states are such trees. A `Static` and `None` are nodes without leaves; everything else is a
leaf. Dicts keep their order and are not sorted: a flat vector holds the layers in the order of the model. Where keys
store their position (see `luxport.tree.ordered_keys`), the positions are the order, even if a transform has sorted
the dict.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from luxport.tree.ordered_keys import list_in_order
from luxport.tree.static import Static

__all__ = [
    "Tree",
    "VectorTree",
    "leaves",
    "leaves_with_path",
    "like_sequence",
    "map",
    "map_with_path",
    "structure",
    "unflatten",
]

Tree: TypeAlias = Any
"""An array, or a mapping, tuple or list of trees."""


class VectorTree(Mapping[str, Any], ABC):
    """A mapping whose values are slices of one vector; as a tree, a node whose only child is the vector."""

    __slots__ = ()

    vector: Any
    layout: Any

    @classmethod
    @abstractmethod
    def from_child(cls, layout: Any, children: Any) -> VectorTree:
        """Rebuild the node from its layout and its one child, another vector."""

    @abstractmethod
    def cut(self) -> VectorTree:
        """Return the same node with all slices made at once, rather than each when it is read."""


def map(f: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    """Apply f to every leaf, together with the leaves at the same paths of the other trees.

    Dicts are matched by their keys, whatever their order; the result has the order of the first tree.

    Raises: ValueError if another tree has a different structure

    >>> map(lambda x, y: x + y, {"a": 1, "b": (2, 3)}, {"a": 10, "b": (20, 30)})
    {'a': 11, 'b': (22, 33)}
    """
    if type(tree) is dict or isinstance(tree, Mapping):
        if isinstance(tree, VectorTree):
            for other in rest:
                if not isinstance(other, VectorTree) or other.layout != tree.layout:
                    raise _explain_mismatch(tree, other)
            return tree.from_child(tree.layout, (map(f, tree.vector, *[other.vector for other in rest]),))
        for other in rest:
            if not isinstance(other, Mapping) or other.keys() != tree.keys():
                raise _explain_mismatch(tree, other)
        return {key: map(f, tree[key], *[other[key] for other in rest]) for key in list_in_order(tree)}
    if isinstance(tree, (tuple, list)):
        for other in rest:
            if not isinstance(other, (tuple, list)) or len(other) != len(tree):
                raise _explain_mismatch(tree, other)
        return like_sequence(tree, [map(f, value, *others) for value, *others in zip(tree, *rest, strict=True)])
    if tree is None or isinstance(tree, Static):
        return tree
    return f(tree, *rest)


def map_with_path(f: Callable[..., Any], tree: Tree, path: tuple[str, ...] = ()) -> Tree:
    """Apply ``f(path, leaf)`` to every leaf; the path is a tuple of keys and positions as strings.

    >>> map_with_path(lambda path, x: ".".join(path), {"layer_1": {"weight": 0}})
    {'layer_1': {'weight': 'layer_1.weight'}}
    """
    if isinstance(tree, VectorTree):
        return tree.from_child(tree.layout, (map_with_path(f, tree.vector, path),))
    if isinstance(tree, Mapping):
        return {key: map_with_path(f, tree[key], (*path, str(key))) for key in list_in_order(tree)}
    if isinstance(tree, (tuple, list)):
        return like_sequence(tree, [map_with_path(f, value, (*path, str(i))) for i, value in enumerate(tree)])
    if tree is None or isinstance(tree, Static):
        return tree
    return f(path, tree)


def leaves(tree: Tree) -> list[Any]:
    """List the leaves in order.

    >>> leaves({"b": 1, "a": (2, [3])})
    [1, 2, 3]
    """
    found: list[Any] = []
    _collect(tree, found)
    return found


def leaves_with_path(tree: Tree, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield ``(path, leaf)`` in order."""
    if isinstance(tree, VectorTree):
        tree = tree.vector
    if isinstance(tree, Mapping):
        for key in list_in_order(tree):
            yield from leaves_with_path(tree[key], (*path, str(key)))
    elif isinstance(tree, (tuple, list)):
        for i, value in enumerate(tree):
            yield from leaves_with_path(value, (*path, str(i)))
    elif tree is not None and not isinstance(tree, Static):
        yield path, tree


def structure(tree: Tree) -> Any:
    """Return a hashable description of everything but the leaves: keys in order, kinds of sequences, statics.

    >>> structure({"a": 1}) == structure({"a": 2}), structure({"a": 1}) == structure((1,))
    (True, False)
    """
    if isinstance(tree, VectorTree):
        return (type(tree), tree.layout)
    if isinstance(tree, Mapping):
        keys = tuple(list_in_order(tree))
        return (dict, keys, tuple([structure(tree[key]) for key in keys]))
    if isinstance(tree, (tuple, list)):
        return (type(tree), tuple([structure(value) for value in tree]))
    if tree is None or isinstance(tree, Static):
        return tree
    return _LEAF


def like_sequence(like: Any, values: list[Any]) -> Any:
    """Build a list, tuple or named tuple of these values, of the same type as another."""
    return _build_sequence(type(like), values)


def unflatten(shape: Any, new_leaves: Iterator[Any]) -> Tree:
    """Build a tree from its `structure` and an iterator of its leaves.

    >>> unflatten(structure({"a": 1, "b": (2,)}), iter([10, 20]))
    {'a': 10, 'b': (20,)}
    """
    if shape is _LEAF:
        return next(new_leaves)
    if shape is None or isinstance(shape, Static):
        return shape
    if shape[0] is dict:
        return {key: unflatten(child, new_leaves) for key, child in zip(shape[1], shape[2], strict=True)}
    if issubclass(shape[0], VectorTree):
        return shape[0].from_child(shape[1], (next(new_leaves),))
    return _build_sequence(shape[0], [unflatten(child, new_leaves) for child in shape[1]])


_LEAF = "*"


def _collect(tree: Tree, found: list[Any]) -> None:
    if type(tree) is dict or isinstance(tree, Mapping):
        if isinstance(tree, VectorTree):
            found.append(tree.vector)
            return
        for key in list_in_order(tree):
            _collect(tree[key], found)
    elif isinstance(tree, (tuple, list)):
        for value in tree:
            _collect(value, found)
    elif tree is not None and not isinstance(tree, Static):
        found.append(tree)


def _build_sequence(kind: type, values: list[Any]) -> Any:
    if kind is list:
        return values
    if kind is tuple:
        return tuple(values)
    return kind(*values)  # a named tuple


def _explain_mismatch(tree: Tree, other: Tree) -> ValueError:
    return ValueError(f"trees of one structure expected, got {_describe(tree)} and {_describe(other)}")


def _describe(tree: Tree) -> str:
    return str(map(lambda leaf: _LEAF, tree)).replace(repr(_LEAF), _LEAF)
