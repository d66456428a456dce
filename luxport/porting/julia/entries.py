"""Find the entries of a saved file by name, at its top or nested, among which parameters are searched."""

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
    """Return what a value contains by name or, where there are no names, by position; {} for an array of numbers."""
    if is_component_array(value):
        try:
            tree = read_component_tree(value)
        except FileFormatError:
            return {}
        return dict(julia.yield_children(tree)) if isinstance(tree, julia.NamedTuple) else {}
    # An array of numbers has no children; an array of objects, such as a matrix of arrays, has them by position.
    return {} if isinstance(value, np.ndarray) and value.dtype != object else dict(julia.yield_children(value))


def find_entry_at(values: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    """Return the entry of a name, which may be dotted (``model.ps``), and the value that contains it.

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
            with suppress(KeyError):  # the name of an entry may itself contain dots
                entry, parent = find_entry_at(found, rest)
                return entry, values[first] if parent is found else parent
        more, dot, rest = rest.partition(".")
        first = f"{first}.{more}"
    raise KeyError(name)


def list_inner_entries(entries: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """Return the entries directly inside entries: by dotted name, each with its container. Optimizers are skipped."""
    return dict(islice(_look_inside(entries), _MOST))


def _look_inside(entries: Mapping[str, tuple[Any, Any]]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name, (value, _) in entries.items():
        if not _is_optimizer(name, value):
            for inner, child in list_children(value).items():
                if isinstance(child, _MAY_HOLD) and not _is_optimizer(inner, child):
                    yield f"{name}.{inner}", (child, value)


def is_container(value: Any) -> bool:
    """Return whether a value contains models rather than being one: a dict, or parameters beside their states."""
    return isinstance(value, (dict, julia.Dict)) or (
        isinstance(value, (julia.NamedTuple, julia.Struct)) and find_states_beside(value, None) is not None
    )


_MAY_HOLD = (dict, list, tuple, np.ndarray, julia.NamedTuple, julia.Struct, julia.Dict)


def _is_optimizer(name: str, value: Any) -> bool:
    """Return whether a value is the state of an optimizer, whose moments have the same shapes as the parameters."""
    kind = value.type.path if isinstance(value, julia.Struct) and isinstance(value.type, julia.TypeName) else ""
    if kind == "Optimisers.Restructure":  # contains the model, see `Optimisers.destructure`
        return False
    return name.rpartition(".")[2].lower().startswith("opt") or kind.startswith(("Optimisers.", "Flux.Optimise."))


def find_states_beside(parent: Any, chosen: Any) -> Any:
    """Return the states stored in the same container as the chosen parameters, None if there are none."""
    found = list_children(parent)
    names = (*_STATES, "1") if isinstance(parent, tuple) else _STATES
    return next((found[name] for name in names if name in found and found[name] is not chosen), None)
