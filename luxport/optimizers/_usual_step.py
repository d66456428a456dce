"""A fast path for the usual step: nested dicts of arrays with one rule and one clock, each with a gradient like it.

Everything else, errors included, is left to `luxport.optimizers._updates`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from luxport.backend import Array, dtype_name, is_inexact, namespace
from luxport.optimizers._clip_global_norm import does_clip_together
from luxport.optimizers._hyperparameters import fill_in
from luxport.optimizers._rule import tick, update_all
from luxport.optimizers._state import Leaf, OptimizerState

__all__ = ["gather_usual", "keeps_kind", "step_together"]

_WIDE = ("float32", "float64", "complex64", "complex128")


def step_together(state: OptimizerState, ps: Any, grads: Any, *, in_place: bool) -> tuple[OptimizerState, Any] | None:
    """Return the next state and parameters, the given trees if their arrays were overwritten; None if not usual."""
    groups, leaves = state
    if len(groups) != 1:
        return None
    group = groups[0]
    old: list[Any] = []
    xs: list[Array] = []
    dxs: list[Array] = []
    if not gather_usual(leaves, ps, grads, old, xs, dxs) or len(xs) != group.size.value or not _fit(xs, dxs):
        return None
    rule = fill_in(group.rule.value, group.values)
    if dtype_name(xs[0]) not in _WIDE or does_clip_together(rule) or not keeps_kind(old[0], xs[0]):
        return None
    states, new = update_all(rule, group.clock, old, xs, dxs, (), in_place=in_place)
    groups = (group._replace(clock=tick(rule, group.clock)),)
    if states is old and new is xs:
        return OptimizerState(groups, leaves), ps
    new_leaves, new_ps = _rebuild(leaves, ps, iter(states), iter(new))
    return OptimizerState(groups, new_leaves), new_ps


def keeps_kind(kept: Any, x: Array) -> bool:
    """Tell whether the first array that a rule keeps is complex or real as its parameter is; true without an array."""
    first = kept[0] if type(kept) is tuple and kept else kept
    if getattr(first, "dtype", x.dtype) == x.dtype or not is_inexact(first):
        return True
    return ("complex" in dtype_name(first)) == ("complex" in dtype_name(x))


def gather_usual(state: Any, x: Any, dx: Any, states: list[Any], xs: list[Array], dxs: list[Array]) -> bool:
    """Append states, arrays and gradients to the lists, in the parameters' order; return False if not usual."""
    if type(x) is not dict or type(state) is not dict or type(dx) is not dict or not len(x) == len(state) == len(dx):
        return False
    for key, value in x.items():
        leaf: Any = state.get(key)
        gradient: Any = dx.get(key)
        if type(leaf) is Leaf:
            own, remainder, number, frozen = leaf
            if remainder is not None or number is not None or frozen is not None:
                return False
            states.append(own)
            xs.append(value)
            dxs.append(gradient)
        elif not gather_usual(leaf, value, gradient, states, xs, dxs):
            return False
    return True


def _fit(xs: list[Array], dxs: list[Any]) -> bool:
    """Tell whether there are arrays, all of one dtype, each with a gradient of its shape and dtype."""
    try:
        dtypes = [x.dtype for x in xs]
        alike = dtypes.count(dtypes[0]) == len(xs) and [dx.dtype for dx in dxs] == dtypes
        return alike and [dx.shape for dx in dxs] == [x.shape for x in xs]
    except (AttributeError, IndexError):  # a gradient is None, or there are no arrays
        return False


def _rebuild(state: Any, x: Any, states: Iterator[Any], xs: Iterator[Array]) -> tuple[Any, Any]:
    leaves: dict[Any, Any] = {}
    values: dict[Any, Any] = {}
    for key, old in x.items():
        if type(state[key]) is Leaf:
            value = next(xs)
            values[key] = value if value.dtype == old.dtype else namespace(value).astype(value, old.dtype)
            leaves[key] = Leaf(next(states))
        else:
            leaves[key], values[key] = _rebuild(state[key], old, states, xs)
    return leaves, values
