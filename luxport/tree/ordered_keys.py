"""Keys that know their place: the order of a tree is the model's, whatever was done to its dicts.

JAX sorts the keys of a dict in whatever leaves one of its transforms, and puts the same key objects back. So the keys
of the trees that `luxport.setup` hands out carry their place: the dicts stay plain dicts, which mix with any other
where JAX compares structures (a literal, ``{**ps, "bias": bias}``, a prefix such as ``in_axes``), and whatever lays a
tree out, `luxport.flatten` first of all, goes by the places.

A dict of another type, registered to keep its order, was the other way. Called with the parameters of 200 layers a
compiled program took 10 % more time with it (3 % with these keys), and a dict made by hand was no longer the same
structure: `jax.lax.scan`, `jax.tree.map`, prefixes and Optax's masks refuse such a pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Key", "list_in_order", "add_places"]


class Key(str):
    """A string like any other (equal, with the same hash) that knows which place it has among its neighbors.

    >>> key = Key("weight", 0)
    >>> key == "weight", {key: 1}, key.place
    (True, {'weight': 1}, 0)
    """

    __slots__ = ("place",)

    place: int

    def __new__(cls, name: str, place: int) -> Key:
        """Keep the place beside the name."""
        self = super().__new__(cls, name)
        self.place = place
        return self

    def __getnewargs__(self) -> tuple[str, int]:
        return str(self), self.place


def list_in_order(mapping: Mapping[Any, Any]) -> Iterable[Any]:
    """Return the keys of a mapping in the order of their places; those without a place stay where they are, after.

    Keys of two trees in one mapping stay where they are. Without places, ``layer_1`` to ``layer_10`` and more in
    alphabetical order were sorted by someone: they come by number.

    >>> list(list_in_order({Key("bias", 1): 0, Key("weight", 0): 0, "more": 0}))
    ['weight', 'bias', 'more']
    >>> list(list_in_order({f"layer_{i}": 0 for i in (1, 10, 2, 3, 4, 5, 6, 7, 8, 9)}))[-2:]
    ['layer_9', 'layer_10']
    """
    for key in mapping:
        if type(key) is Key:
            return _order_by_place(mapping)
    if len(mapping) >= 10:  # up to layer_9 the alphabet's order is that of the numbers
        return _order_by_number(mapping)
    return mapping


def add_places(tree: Any, *, known: bool = True) -> Any:
    """Return the tree with keys that know the places they have in it now; plain ones if not `known`."""
    if type(tree) is dict:
        keys = list_in_order(tree)
        if not known:
            return {_make_plain(key): add_places(tree[key], known=False) for key in keys}
        return {
            Key(str(key), place) if isinstance(key, str) else key: add_places(tree[key])
            for place, key in enumerate(keys)
        }
    if type(tree) is tuple or type(tree) is list:
        return type(tree)([add_places(entry, known=known) for entry in tree])
    return tree


def _order_by_place(mapping: Mapping[Any, Any]) -> Iterable[Any]:
    last = -1
    for key in mapping:
        place = key.place if type(key) is Key else len(mapping)
        if place < last:
            return _sort_by_place(mapping)
        last = place
    return mapping


def _sort_by_place(mapping: Mapping[Any, Any]) -> Iterable[Any]:
    places = [key.place for key in mapping if type(key) is Key]
    if len(set(places)) < len(places):  # two trees in one dict, {**ps, **st}: only the dict knows
        return mapping
    return sorted(mapping, key=lambda key: key.place if type(key) is Key else len(mapping))


def _order_by_number(mapping: Mapping[Any, Any]) -> Iterable[Any]:
    names = list(mapping)
    if names[0] != "layer_1" or names[1] != "layer_10":
        return mapping
    wanted = [f"layer_{i}" for i in range(1, len(names) + 1)]
    return wanted if sorted(wanted) == names else mapping


def _make_plain(key: Any) -> Any:
    return str(key) if type(key) is Key else key
