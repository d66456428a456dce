"""Changes to an optimizer's state, or to a part of it: `adjust`, `freeze` and `thaw`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from luxport import tree
from luxport.call_arguments import did_you_mean, explain_call_errors
from luxport.optimizers._hyperparameters import fill_in, find_shortest, make_scalar, name_numbers, replace_values
from luxport.optimizers._rule import Compound
from luxport.optimizers._state import Group, Leaf, OptimizerState, Tied, group_of
from luxport.optimizers._tree_entries import copy_arrays
from luxport.text import name_kind, warn
from luxport.tree.static import Static

__all__ = ["adjust", "current_rule", "freeze", "thaw"]


@explain_call_errors
def adjust(state: tree.Tree, eta: Any = None, *, at: str = "", **values: Any) -> tree.Tree:
    """Return a state whose rules have new values for the named hyper-parameters; moments and counts stay.

    Rules without a hyper-parameter of that name stay the same; frozen parameters are adjusted too.

    In the state hyper-parameters are arrays, so that changing them recompiles nothing, and an array without axes may be
    given in place of a number. For a tuple, such as beta, give a tuple. Hyper-parameters that Python must know, such as
    the n of `AccumGrad`, are part of the program: changing one recompiles it.

    Args:
        state: what `setup` returned
        eta: the learning rate; None to keep it
        at: the part to change, by its path such as "layer_1.weight"; "" for all
        **values: other hyper-parameters by name

    Raises: ValueError if eta is negative, or nothing is given
    Warns: UserWarning if no rule has a hyper-parameter of that name
    Source: Optimisers.jl ``adjust``

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> state = optimizers.setup(optimizers.Momentum(0.1), {"weight": np.ones(2)})
    >>> current_rule(adjust(state, 0.2, rho=0.5))
    Momentum(eta=0.2, rho=0.5)
    """
    if eta is not None:
        values = {"eta": eta, **values}
    if not values:
        raise ValueError("adjust expects a hyper-parameter to change: adjust(state, eta=0.01)")
    known: set[str] = set()

    def adjust_group(group: Group) -> Group:
        known.update(name_numbers(group.rule.value))
        rule, new = _adjust(group.rule.value, group.values, values)
        return group._replace(rule=Static(rule), values=new)

    new = _map_groups(adjust_group, state, at)
    for name in values.keys() - known:
        meant = did_you_mean(name, sorted(known)).strip()
        warn(f"adjust found no rule with a hyper-parameter {name}{meant and ': ' + meant}")
    return new


def _adjust(rule: Any, numbers: Any, values: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the rule, with what is part of the program changed, and the arrays of its other hyper-parameters."""
    if isinstance(rule, Compound):
        pairs = [_adjust(inner, its, values) for inner, its in zip(rule.inner_rules, numbers, strict=True)]
        each = iter([inner for inner, _ in pairs])
        return rule.map_rules(lambda inner: next(each)), tuple([its for _, its in pairs])
    known = {name: value for name, value in values.items() if name in name_numbers(rule)}
    if not known:
        return rule, numbers
    replace_values(fill_in(rule, numbers), known)  # raises if the rule refuses a value
    fixed = replace_values(rule, {name: value for name, value in known.items() if name not in numbers})
    changed = {name: make_scalar(known[name], old) if name in known else old for name, old in numbers.items()}
    return fixed, changed


@explain_call_errors
def current_rule(state: tree.Tree, at: str = "") -> Any:
    """Return the rule of a state, or of a part of it, with its current hyper-parameters.

    A number is the shortest decimal that rounds to the one in the state: 0.1, not 0.10000000149.

    Args:
        state: what `setup` returned
        at: the part to look at, by its path such as "layer_1.weight"; "" for all

    Raises: ValueError if there is no rule, or more than one

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> state = optimizers.setup(optimizers.AdamW(0.01), {"weight": np.ones(2, np.float32)})
    >>> current_rule(state)
    AdamW(eta=0.01, beta=(0.9, 0.999), lambda_=0.0, epsilon=1e-08, couple=True)
    """
    rules: list[Any] = []

    def note_rule(group: Group) -> Group:
        rules.append(fill_in(group.rule.value, _list_numbers(group.values)))
        return group

    _map_groups(note_rule, state, at)
    if not rules or any([rule != rules[0] for rule in rules]):
        raise ValueError(f"current_rule expects one rule{f' at {at}' if at else ''}, got {len(rules)}: name a part")
    return rules[0]


def _list_numbers(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: find_shortest(value) for name, value in values.items()}
    return tuple(map(_list_numbers, values))


@explain_call_errors
def freeze(state: tree.Tree, at: str = "") -> tree.Tree:
    """Return a state with which `update` leaves all parameters, or those of a part, unchanged.

    Args:
        state: what `setup` returned
        at: the part to change, by its path such as "layer_1.weight"; "" for all

    Raises: ValueError if this is no state of `setup`
    Source: Optimisers.jl ``freeze!``

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> ps = {"layer_1": {"weight": np.ones(1)}, "layer_2": {"weight": np.ones(1)}}
    >>> state = freeze(optimizers.setup(optimizers.Descent(0.5), ps), "layer_1")
    >>> optimizers.update(state, ps, ps)[1]
    {'layer_1': {'weight': array([1.])}, 'layer_2': {'weight': array([0.5])}}
    """
    return _map_groups(None, state, at, lambda leaf: leaf._replace(frozen=Static(True)))


@explain_call_errors
def thaw(state: tree.Tree, at: str = "") -> tree.Tree:
    """Undo `freeze`: return a state with which `update` changes the parameters again.

    Args:
        state: what `setup` returned
        at: the part to change, by its path such as "layer_1.weight"; "" for all

    Raises: ValueError if this is no state of `setup`
    Source: Optimisers.jl ``thaw!``
    """
    return _map_groups(None, state, at, lambda leaf: leaf._replace(frozen=None))


def _map_groups(
    f: Callable[[Group], Group] | None, state: Any, at: str, of_leaf: Callable[[Leaf], Leaf] | None = None
) -> Any:
    """Apply f to the groups, and `of_leaf` to the leaves, below a path; a group that is only partly there is split."""
    return _map_scopes(f, state, tuple(at.split(".")) if at else (), of_leaf)


def _map_scopes(f: Any, state: Any, path: tuple[str, ...], of_leaf: Any) -> Any:
    if isinstance(state, OptimizerState):
        return _map_scope(f, state, path, of_leaf)
    if state is None and not path:
        return state
    if path:
        return _change_at(state, path, lambda inner, rest: _map_scopes(f, inner, rest, of_leaf))
    if isinstance(state, Mapping):
        return {key: _map_scopes(f, value, (), of_leaf) for key, value in state.items()}
    if isinstance(state, (tuple, list)):
        return tree.like_sequence(state, [_map_scopes(f, value, (), of_leaf) for value in state])
    raise ValueError(f"a state of optimizers.setup expected, got {name_kind(state)}")


def _map_scope(f: Any, state: OptimizerState, path: tuple[str, ...], of_leaf: Any) -> OptimizerState:
    chosen: dict[int, int] = {}

    def count(leaf: Leaf) -> Leaf:
        chosen[group_of(leaf)] = chosen.get(group_of(leaf), 0) + 1
        return leaf

    _map_part(count, state.leaves, path)
    groups, place = list(state.groups), {}
    for number, size in chosen.items():
        group = groups[number]
        whole = size == group.size.value
        if whole:
            groups[number] = group if f is None else f(group)
        elif f is not None or group.clock is not None:  # frozen parameters get a clock of their own, to stand still
            groups[number] = group._replace(size=Static(group.size.value - size))
            place[number] = Static(len(groups))
            part = copy_arrays(group._replace(size=Static(size)))
            groups.append(part if f is None else f(part))

    def change(leaf: Leaf) -> Leaf:
        leaf = leaf if of_leaf is None else of_leaf(leaf)
        return leaf._replace(group=place[group_of(leaf)]) if group_of(leaf) in place else leaf

    leaves = _map_part(change, state.leaves, path) if place or of_leaf is not None else state.leaves
    return OptimizerState(tuple(groups), leaves)


def _map_part(f: Callable[[Leaf], Any], leaves: Any, path: tuple[str, ...]) -> Any:
    if path:
        return _change_at(leaves, path, lambda inner, rest: _map_part(f, inner, rest))
    if isinstance(leaves, Tied):
        raise ValueError(
            f"this parameter is tied to the one at {'.'.join(map(str, leaves.first.value))}: name that one"
        )
    return _map_all(f, leaves)


def _map_all(f: Callable[[Leaf], Any], leaves: Any) -> Any:
    if isinstance(leaves, Leaf):
        return f(leaves)
    if leaves is None or isinstance(leaves, Tied):
        return leaves
    if isinstance(leaves, Mapping):
        return {key: _map_all(f, value) for key, value in leaves.items()}
    return tree.like_sequence(leaves, [_map_all(f, value) for value in leaves])


def _change_at(state: Any, path: tuple[str, ...], f: Callable[[Any, tuple[str, ...]], Any]) -> Any:
    """Return a tree whose entry at the first key of a path is ``f(entry, rest of the path)``."""
    if isinstance(state, Mapping):
        for key in state:
            if str(key) == path[0]:
                return {**state, key: f(state[key], path[1:])}
    elif isinstance(state, (tuple, list)) and not isinstance(state, (Leaf, Tied)) and path[0].isdecimal():
        entries, place = list(state), int(path[0])
        if place < len(entries):
            entries[place] = f(entries[place], path[1:])
            return tree.like_sequence(state, entries)
    raise ValueError(f"the optimizers' state has nothing at {path[0]}")
