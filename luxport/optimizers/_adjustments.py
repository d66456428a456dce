"""Changing what the optimizers' state says: `adjust`, `freeze` and `thaw`, of a whole state or a part of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from luxport import tree
from luxport.backend import Array, namespace
from luxport.call_arguments import says_what_it_takes
from luxport.optimizers._hyperparameters import names_of, with_values
from luxport.optimizers._rule import is_number, round_in_all_dtypes
from luxport.text import kind_of
from luxport.tree.static import Static

__all__ = ["adjust", "freeze", "is_leaf", "is_tied", "rule_of", "thaw"]


@says_what_it_takes
def adjust(state: tree.Tree, eta: Any = None, *, at: str = "", **values: Any) -> tree.Tree:
    """Return a state whose rules have other hyper-parameters, by name; moments and the like stay.

    Rules without a hyper-parameter of that name are left as they are, frozen leaves are adjusted too. `at` chooses
    a part of the state by its path, such as "layer_1.weight".

    A number becomes part of the rule: a compiled program is compiled anew for it. An array (of the parameters'
    framework, without axes) goes into the state, and so does every number after it: what is compiled with an array
    there serves for all values. For a tuple, such as beta, the same holds with a tuple.

    Raises: ValueError if eta is negative, or nothing is given
    Warns: UserWarning if no rule has a hyper-parameter of that name
    Source: Optimisers.jl ``adjust``

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> state = optimizers.setup(optimizers.Momentum(0.1), {"weight": np.ones(2)})
    >>> adjust(state, 0.2, rho=0.5)["weight"]["rule"]
    Static(Momentum(eta=0.2, rho=0.5))
    >>> float(adjust(adjust(state, np.array(0.2)), 0.3)["weight"]["adjusted"]["eta"])
    0.3
    """
    if eta is not None:
        values = {"eta": eta, **values}
    if not values:
        raise ValueError("adjust expects a hyper-parameter to change: adjust(state, eta=0.01)")
    found: set[str] = set()
    for value in values.values():
        if _is_number(value):
            round_in_all_dtypes(value)

    def adjusted(leaf: dict[str, Any]) -> dict[str, Any]:
        rule, arrays = leaf["rule"].value, dict(leaf.get("adjusted", {}))
        known = {name: value for name, value in values.items() if name in names_of(rule)}
        found.update(known)
        numbers = {name: value for name, value in known.items() if _is_number(value)}
        checked = with_values(rule, numbers)  # a rule refuses what it cannot be
        for name, value in known.items():
            if name in arrays:
                arrays[name] = _as_arrays(value, arrays[name])
            elif not _is_number(value):
                arrays[name] = tree.map(_copy, value)
        fixed = with_values(rule, {name: value for name, value in numbers.items() if name not in arrays})
        return {**leaf, "rule": Static(fixed if arrays else checked)} | ({"adjusted": arrays} if arrays else {})

    new = _map_leaves(adjusted, state, at)
    for name in values.keys() - found:
        warnings.warn(f"adjust found no rule with a hyper-parameter {name}", stacklevel=2)
    return new


@says_what_it_takes
def freeze(state: tree.Tree, at: str = "") -> tree.Tree:
    """Return a state with which `update` leaves the parameters as they are, all of them or those of a part.

    Raises: ValueError if this is no state of `setup`
    Source: Optimisers.jl ``freeze!``

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> ps = {"layer_1": {"weight": np.ones(1)}, "layer_2": {"weight": np.ones(1)}}
    >>> state = freeze(optimizers.setup(optimizers.Descent(0.5), ps), "layer_1")
    >>> optimizers.update(state, ps, ps)[1]
    {'layer_1': {'weight': array([1.])}, 'layer_2': {'weight': array([0.5])}}
    """
    return _map_leaves(lambda leaf: {**leaf, "frozen": Static(True)}, state, at)


@says_what_it_takes
def thaw(state: tree.Tree, at: str = "") -> tree.Tree:
    """Return a state with which `update` changes the parameters again, the reverse of `freeze`.

    Raises: ValueError if this is no state of `setup`
    Source: Optimisers.jl ``thaw!``
    """
    return _map_leaves(lambda leaf: {key: leaf[key] for key in leaf if key != "frozen"}, state, at)


def is_leaf(state: Any) -> bool:
    """Tell the state of one parameter from a tree of such states."""
    return isinstance(state, Mapping) and isinstance(state.get("rule"), Static)


def is_tied(state: Any) -> bool:
    """Tell what stands for a parameter that is also somewhere else, where its state is."""
    return isinstance(state, Mapping) and isinstance(state.get("tied"), Static)


def rule_of(leaf: Mapping[str, Any]) -> Any:
    """Return the rule of a leaf, with the arrays that `adjust` has put there."""
    rule, adjusted = leaf["rule"].value, leaf.get("adjusted")
    return rule if adjusted is None else with_values(rule, adjusted)


def _map_leaves(f: Callable[[Any], Any], state: Any, at: str) -> Any:
    if not at:
        return _map_all(f, state)
    return _map_part(f, state, tuple(at.split(".")))


def _map_part(f: Callable[[Any], Any], state: Any, path: tuple[str, ...]) -> Any:
    if not path:
        if is_tied(state):
            raise ValueError(
                f"this parameter is tied to the one at {'.'.join(map(str, state['tied'].value))}: name that one"
            )
        return _map_all(f, state)
    if isinstance(state, Mapping) and not is_leaf(state):
        for key in state:
            if str(key) == path[0]:
                return {**state, key: _map_part(f, state[key], path[1:])}
    if isinstance(state, (tuple, list)) and path[0].isdecimal() and int(path[0]) < len(state):
        entries = list(state)
        entries[int(path[0])] = _map_part(f, entries[int(path[0])], path[1:])
        return tree.like_sequence(state, entries)
    raise ValueError(f"the optimizers' state has nothing at {path[0]}")


def _map_all(f: Callable[[Any], Any], state: Any) -> Any:
    if is_leaf(state):
        return f(state)
    if state is None or is_tied(state):
        return state
    if isinstance(state, Mapping):
        return {key: _map_all(f, value) for key, value in state.items()}
    if isinstance(state, (tuple, list)):
        return tree.like_sequence(state, [_map_all(f, value) for value in state])
    raise ValueError(f"a state of optimizers.setup expected, got {kind_of(state)}")


def _is_number(value: Any) -> bool:
    return all(map(is_number, value)) if isinstance(value, tuple) else is_number(value)


def _as_arrays(value: Any, like: Any) -> Any:
    if isinstance(like, tuple):
        return tuple([_as_arrays(one, other) for one, other in zip(value, like, strict=True)])
    xp = namespace(like)
    return xp.zeros_like(like) + (value if is_number(value) else xp.astype(value, like.dtype))


def _copy(value: Array) -> Array:
    """Give every leaf an array of its own, as compilers that reuse memory of arguments ask."""
    return namespace(value).astype(value, value.dtype, copy=True)
