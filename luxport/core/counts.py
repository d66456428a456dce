"""`parameter_length` and `state_length`: how many numbers a layer's parameters and states hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luxport import tree
from luxport.call_arguments import explain_call_errors
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer_base import LayerBase, Parameters, States
from luxport.text import name_kind
from luxport.tree.static import Static

__all__ = ["parameter_length", "state_length"]


@explain_call_errors
def parameter_length(model: LayerBase | Parameters) -> int:
    """Count the numbers in the parameters of a layer, or in a tree of parameters.

    >>> import luxport
    >>> parameter_length(luxport.Dense(128, 256))
    33024
    """
    ps = describe_values(initial_parameters, model) if isinstance(model, LayerBase) else model
    return _count_numbers(ps, {})


@explain_call_errors
def state_length(model: LayerBase | States) -> int:
    """Count the entries of the states of a layer, or of a tree of states.

    An array counts all its numbers; a `Static`, a None and a generator (an entry named ``rng``) count one each.

    >>> import luxport
    >>> state_length(luxport.BatchNorm(128)), state_length(luxport.Dropout(0.5))
    (257, 2)
    """
    return _count_entries(describe_values(initial_states, model) if isinstance(model, LayerBase) else model, {})


def _count_numbers(ps: Any, known: dict[int, int]) -> int:
    """Count the numbers in a tree. A dict that occurs several times counts each time, and is traversed once."""
    if not isinstance(ps, Mapping):
        return sum([_count_size(leaf) for leaf in tree.leaves(ps)])
    if id(ps) not in known:
        known[id(ps)] = sum([_count_numbers(value, known) for value in ps.values()])
    return known[id(ps)]


def _count_entries(st: Any, known: dict[int, int]) -> int:
    if isinstance(st, (tuple, list)):
        return sum([_count_entries(value, known) for value in st])
    if not isinstance(st, Mapping):
        return 1 if st is None or isinstance(st, Static) else _count_size(st)
    if id(st) not in known:
        known[id(st)] = sum([1 if name == "rng" else _count_entries(value, known) for name, value in st.items()])
    return known[id(st)]


def _count_size(leaf: Any) -> int:
    size, shape = 1, getattr(leaf, "shape", None)
    if shape is None:
        raise TypeError(f"a layer or a tree of arrays expected, got {name_kind(leaf)}")
    for dim in shape:
        size *= int(dim)
    return size
