"""The state of a rule for a tree of parameters: `setup`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luxport import tree
from luxport.backend import is_inexact, namespace
from luxport.call_arguments import explain_call_errors
from luxport.core.flat import FlatParameters
from luxport.core.layer_base import expect_no_layer
from luxport.optimizers._chain import MixedPrecision
from luxport.optimizers._clip_global_norm import expect_all_together
from luxport.optimizers._construction import check_rule
from luxport.optimizers._hyperparameters import clear_numbers, make_values, name_precision
from luxport.optimizers._rule import Rule, start, start_clock
from luxport.optimizers._state import Group, Leaf, OptimizerState, Tied
from luxport.optimizers._tree_entries import (
    Path,
    is_half,
    widen,
)
from luxport.text import warn
from luxport.tree.size_limit import check_size
from luxport.tree.static import Static

__all__ = ["setup"]


@explain_call_errors
def setup(rule: Rule, ps: tree.Tree) -> OptimizerState:
    """Make the state of a rule for a tree of parameters.

    The state has `groups`, what parameters share, and `leaves`, a tree like ps. A group holds the rule, its
    hyper-parameters (learning rate and so on) as arrays without axes in the precision of the parameters, so that
    changing one recompiles nothing, and its clock: powers of beta, or a count. A leaf holds what the rule keeps for a
    floating or complex array of ps; for anything else in ps it is None. Half types are too narrow for moments and small
    steps: a rule works on such an array in float32, and the leaf also holds what rounding the array has cut off
    (`MixedPrecision` keeps a copy instead).

    An array that occurs in several places of ps (the same object, not merely equal) is one parameter: the first place
    has its leaf, the others the path to it. `FlatParameters` are one parameter, their vector.

    Parts of a tree may have different rules: ``{"body": setup(one, ps["body"]), "head": setup(other, ps["head"])}``
    is a state for both.

    Args:
        rule: the rule
        ps: the parameters

    Warns: UserWarning if there is nothing to optimize
    Source: Optimisers.jl ``setup``

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> state = setup(optimizers.Momentum(0.1), {"weight": np.ones(2), "steps": np.array(3)})
    >>> state.leaves["weight"].state
    array([0., 0.])
    >>> state.groups[0].values
    {'eta': array(0.1), 'rho': array(0.9)}
    """
    check_rule(rule)
    expect_no_layer("optimizers.setup", ps)
    check_size("optimizers.setup", ps)
    expect_all_together(rule)
    places: dict[int, Path] = {}
    groups: dict[str, list[Any]] = {}
    leaves = _setup(rule, ps, (), places, groups)
    if not places:
        warn("optimizers.setup found no floating array to optimize")
    bare = Static(clear_numbers(rule))
    made = [Group(bare, make_values(rule, x), start_clock(rule, x), Static(count)) for x, count in groups.values()]
    return OptimizerState(tuple(made), leaves)


def _setup(rule: Rule, x: Any, path: Path, places: dict[int, Path], groups: dict[str, list[Any]]) -> Any:
    if isinstance(x, FlatParameters):
        x = x.vector
    if isinstance(x, Mapping):
        return {key: _setup(rule, value, (*path, key), places, groups) for key, value in x.items()}
    if isinstance(x, (tuple, list)):
        return tree.like_sequence(x, [_setup(rule, value, (*path, i), places, groups) for i, value in enumerate(x)])
    if not is_inexact(x):
        return None
    first = places.setdefault(id(x), path)
    if first is not path:
        return Tied(Static(first))
    half = is_half(x)
    wide = widen(x) if half else x
    kind = name_precision(wide)
    number = list(groups).index(kind) if kind in groups else len(groups)
    groups.setdefault(kind, [wide, 0])[1] += 1
    remainder = namespace(wide).zeros_like(wide) if half and not isinstance(rule, MixedPrecision) else None
    return Leaf(start(rule, wide), remainder, Static(number) if number else None)
