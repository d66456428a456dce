"""What a file holds by name, at its top and inside: where parameters may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.julia.component_arrays import is_component_array, read_component_tree

__all__ = ["list_children", "list_inner_entries", "find_entry_at", "is_container", "find_states_beside"]

_STATES = ("st", "states", "state")
_MOST = 200


def list_children(value: Any) -> dict[str, Any]:
    """Return what a value contains by name, or by position where there are no names; nothing of an array."""
    if is_component_array(value):
        try:
            tree = read_component_tree(value)
        except FileFormatError:
            return {}
        return dict(julia.yield_children(tree)) if isinstance(tree, julia.NamedTuple) else {}
    # An array of numbers is none; one of other things, a matrix of arrays say, has them by position.
    return {} if isinstance(value, np.ndarray) and value.dtype != object else dict(julia.yield_children(value))


def find_entry_at(values: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    """Return the entry of a name, which may be dotted, and what it is in.

    Raises: KeyError if there is none

    >>> find_entry_at({"model": {"ps": 1, "st": 2}}, "model.ps")
    (1, {'ps': 1, 'st': 2})
    """
    if name in values:
        return values[name], values
    first, dot, rest = name.partition(".")
    while dot:
        if first in values:
            found = list_children(values[first])
            with suppress(KeyError):  # a longer name may go on with the dot
                entry, parent = find_entry_at(found, rest)
                return entry, values[first] if parent is found else parent
        more, dot, rest = rest.partition(".")
        first = f"{first}.{more}"
    raise KeyError(name)


def list_inner_entries(entries: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """Return what entries contain: by dotted names each value with what it is in. Optimisers are left out."""
    return dict(islice(_look_inside(entries), _MOST))


def _look_inside(entries: Mapping[str, tuple[Any, Any]]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name, (value, _) in entries.items():
        if not _is_optimizer(name, value):
            for inner, child in list_children(value).items():
                if isinstance(child, _MAY_HOLD) and not _is_optimizer(inner, child):
                    yield f"{name}.{inner}", (child, value)


def is_container(value: Any) -> bool:
    """Tell what holds models and is none itself: a dictionary, or what has parameters and states side by side."""
    return isinstance(value, (dict, julia.Dict)) or (
        isinstance(value, (julia.NamedTuple, julia.Struct)) and find_states_beside(value, None) is not None
    )


_MAY_HOLD = (dict, list, tuple, np.ndarray, julia.NamedTuple, julia.Struct, julia.Dict)


def _is_optimizer(name: str, value: Any) -> bool:
    """Tell the state of an optimizer, whose moments are shaped as the parameters are."""
    kind = value.type.path if isinstance(value, julia.Struct) and isinstance(value.type, julia.TypeName) else ""
    if kind == "Optimisers.Restructure":  # what destructure makes of a model, besides the flat vector
        return False
    return name.rpartition(".")[2].lower().startswith("opt") or kind.startswith(("Optimisers.", "Flux.Optimise."))


def find_states_beside(parent: Any, chosen: Any) -> Any:
    """Return the states that are kept in the same place as parameters, None if none are."""
    found = list_children(parent)
    names = (*_STATES, "1") if isinstance(parent, tuple) else _STATES
    return next((found[name] for name in names if name in found and found[name] is not chosen), None)
