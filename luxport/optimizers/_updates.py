"""A step of a rule over a tree of parameters: `update`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from luxport import tree
from luxport.backend import Array, dtype_name, is_array, is_inexact, namespace
from luxport.call_arguments import explain_call_errors
from luxport.core.flat import FlatParameters
from luxport.core.flat_layout import find_entry
from luxport.optimizers._clip_global_norm import Flow, does_clip_together, look_at_all
from luxport.optimizers._hyperparameters import fill_in
from luxport.optimizers._rule import Rule, start, tick, update_all
from luxport.optimizers._state import Group, Leaf, OptimizerState, Tied, group_of
from luxport.optimizers._tree_entries import (
    Path,
    check_keys,
    check_length,
    copy_arrays,
    fit_gradient,
    flatten_gradient,
    get_entries,
    get_entry,
    is_half,
    put_entry,
    tell_place,
    widen,
)
from luxport.optimizers._usual_step import keeps_kind, step_together
from luxport.text import name_kind
from luxport.tree.static import Static

__all__ = ["update", "update_in_place"]


@explain_call_errors
def update(state: tree.Tree, ps: tree.Tree, grads: tree.Tree, *more: tree.Tree) -> tuple[tree.Tree, tree.Tree]:
    """Return the next state and the next parameters; nothing is changed in place.

    Where the gradient of an array or a whole subtree is None, parameters and state stay the same; where ps has no
    floating array, the gradient is ignored. A parameter in several places takes one step by the sum of its gradients,
    and is replaced in all of them. Gradients that are integers or booleans are converted.

    Args:
        state: what `setup` returned
        ps: the parameters
        grads: the gradients, a tree like ps
        *more: further trees, such as second derivatives, for the rules that take them

    Raises: ValueError if a gradient does not fit its parameter, or the state the parameters, for instance because
            they were real and are now complex
    Source: Optimisers.jl ``update``

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> ps = {"weight": np.ones(2), "bias": np.ones(1)}
    >>> state = optimizers.setup(optimizers.Momentum(0.1), ps)
    >>> update(state, ps, {"weight": np.array([1.0, 2.0]), "bias": None})[1]
    {'weight': array([0.9, 0.8]), 'bias': array([1.])}
    """
    if getattr(type(state), "apply", None) is not None:
        raise TypeError(
            f"update expects the state that setup({type(state).__name__}(...), ps) returns, got the rule itself"
        )
    if isinstance(ps, OptimizerState):
        raise TypeError("update(state, ps, grads) expects parameters as ps, got the optimizer's state")
    if grads is None and ps is not None:
        raise TypeError(
            "update(state, ps, grads) expects gradients like ps, got None: luxport.grad(loss)(ps) returns them"
        )
    return _update_parts(state, ps, grads, more, (), in_place=False)


def update_in_place(state: tree.Tree, ps: tree.Tree, grads: tree.Tree) -> tuple[tree.Tree, tree.Tree]:
    """Do what `update` does, in the memory of the old state and parameters if the backend can."""
    return _update_parts(state, ps, grads, (), (), in_place=True)


def _update_parts(state: Any, x: Any, dx: Any, more: tuple[Any, ...], path: Path, *, in_place: bool) -> tuple[Any, Any]:
    """Update a state of `setup`, or a tree of such states."""
    if isinstance(state, OptimizerState):
        done = None if more else step_together(state, x, dx, in_place=in_place)
        return _update_state(state, x, dx, more, path, in_place) if done is None else done
    if state is None or dx is None:
        return state, x
    if isinstance(x, Mapping):
        check_keys(state, x, dx, path)
        pairs = {
            key: _update_parts(state[key], x[key], dx[key], get_entries(more, key), (*path, key), in_place=in_place)
            for key in x
        }
        return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}
    if isinstance(x, (tuple, list)):
        check_length(state, x, dx, path)
        each = [
            _update_parts(state[i], x[i], dx[i], get_entries(more, i), (*path, i), in_place=in_place)
            for i in range(len(x))
        ]
        return tree.like_sequence(x, [s for s, _ in each]), tree.like_sequence(x, [y for _, y in each])
    raise ValueError(f"update expects a state of optimizers.setup{tell_place(path)}, got {name_kind(state)}")


class _Work(NamedTuple):
    """What a group has to step: leaves, arrays (`wide` in the rule's precision, `xs` in their own), gradients."""

    leaves: list[Leaf]
    wide: list[Array]
    xs: list[Array]
    dxs: list[Array]
    more: list[tuple[Array, ...]]


def _update_state(
    state: OptimizerState, ps: Any, grads: Any, more: tuple[Any, ...], path: Path, in_place: bool
) -> tuple[OptimizerState, Any]:
    groups, leaves = state
    ties = _list_ties(leaves)
    sums: dict[Path, Any] = {}
    for place, first in ties:
        dx = find_entry(grads, place)
        if dx is not None:
            dx = fit_gradient(dx, find_entry(ps, first), place)
            sums[first] = dx if first not in sums else sums[first] + dx
    work = [_Work([], [], [], [], []) for _ in groups]
    plan = _gather(leaves, ps, grads, more, path, len(path), sums, work)
    new_groups = list(groups)
    done: list[tuple[list[Leaf], list[Array]]] = [([], []) for _ in groups]
    at_work = [number for number, todo in enumerate(work) if todo.xs]
    rules = [fill_in(groups[number].rule.value, groups[number].values) for number in at_work]
    clocks = [groups[number].clock for number in at_work]
    if at_work and does_clip_together(rules[0]):
        flows = [Flow([leaf.state for leaf in work[i].leaves], work[i].wide, work[i].dxs) for i in at_work]
        clocks = look_at_all(rules, clocks, flows)
    for number, rule, seen in zip(at_work, rules, clocks, strict=True):
        group, todo = groups[number], work[number]
        _expect_kinds(rule, todo)
        done[number] = _update_group(rule, seen, todo, in_place)
        clock = tick(rule, seen)
        if len(todo.xs) == group.size.value or group.clock is None:
            new_groups[number] = Group(group.rule, group.values, clock, group.size)
            continue
        # Some parameters have no gradient and take no step. They stay in the old group, whose clock stands still.
        ours, moved = len(todo.xs), Static(len(new_groups))
        new_groups[number] = group._replace(size=Static(group.size.value - ours))
        new_groups.append(Group(group.rule, copy_arrays(group.values), clock, Static(ours)))
        done[number] = ([leaf._replace(group=moved) for leaf in done[number][0]], done[number][1])
    new_leaves, new_ps = _rebuild(plan, leaves, ps, done)
    for place, first in ties:
        new_ps = put_entry(new_ps, place, find_entry(new_ps, first))
    return OptimizerState(tuple(new_groups), new_leaves), new_ps


def _expect_kinds(rule: Rule, todo: _Work) -> None:
    """Expect complex states for complex parameters, and real for real: backends differ in how they mix the two."""
    for leaf, x in zip(todo.leaves, todo.wide, strict=True):
        # A rule may start from a real state for a complex parameter: that is allowed.
        if not keeps_kind(leaf.state, x) and keeps_kind(start(rule, x), x):
            saw = "real" if "complex" in dtype_name(x) else "complex"
            raise ValueError(
                f"update expects {saw} parameters, as setup saw, got {dtype_name(x)}: call optimizers.setup again"
            )


def _update_group(rule: Rule, clock: Any, todo: _Work, in_place: bool) -> tuple[list[Leaf], list[Array]]:
    states, wides = update_all(
        rule, clock, [leaf.state for leaf in todo.leaves], todo.wide, todo.dxs, todo.more, in_place=in_place
    )
    leaves, xs = [], []
    for leaf, state, old, wide in zip(todo.leaves, states, todo.xs, wides, strict=True):
        x, remainder = wide, None
        if wide.dtype != old.dtype:
            x = namespace(wide).astype(wide, old.dtype)
            remainder = None if leaf.remainder is None else wide - widen(x)
        leaves.append(Leaf(state, remainder, leaf.group, leaf.frozen))
        xs.append(x)
    return leaves, xs


def _gather(
    state: Any,
    x: Any,
    dx: Any,
    more: tuple[Any, ...],
    path: Path,
    depth: int,
    sums: dict[Path, Any],
    work: list[_Work],
) -> Any:
    """Collect what each group has to step in `work`; return a tree of where to find the results.

    An entry of that tree is the position of a group and a position in it, or None where nothing changes. `sums` has
    the gradients from the further places of parameters that occur several times, by the path of the first.
    """
    if isinstance(state, Leaf):
        if state.frozen:
            return None
        if isinstance(x, FlatParameters):
            dx, x = flatten_gradient(dx, x), x.vector
        if dx is not None and not is_inexact(x):  # rules would round it, and some backends refuse it
            got = dtype_name(x) if is_array(x) else name_kind(x)
            raise ValueError(
                f"update expects floating numbers as a parameter{tell_place(path)}, as setup saw, got {got}"
            )
        if sums and (total := sums.get(path[depth:])) is not None:
            dx = total if dx is None else fit_gradient(dx, x, path) + total
        elif dx is None:
            return None
        else:
            dx = fit_gradient(dx, x, path)
        number = group_of(state)
        todo = work[number]
        wide = x
        if is_half(x):
            wide = widen(x) if state.remainder is None else widen(x) + state.remainder
        todo.leaves.append(state)
        todo.wide.append(wide)
        todo.xs.append(x)
        todo.dxs.append(dx)
        if more:
            todo.more.append(tuple([fit_gradient(one, x, path) for one in more]))
        return number, len(todo.xs) - 1
    if state is None or isinstance(state, Tied):
        return None
    if dx is None and not any([first[: len(path) - depth] == path[depth:] for first in sums]):
        return None
    if isinstance(x, Mapping):
        check_keys(state, x, dx, path)
        return {
            key: _gather(
                state[key], x[key], get_entry(dx, key), get_entries(more, key), (*path, key), depth, sums, work
            )
            for key in x
        }
    if isinstance(x, (tuple, list)):
        check_length(state, x, dx, path)
        return [
            _gather(state[i], x[i], get_entry(dx, i), get_entries(more, i), (*path, i), depth, sums, work)
            for i in range(len(x))
        ]
    raise ValueError(f"update expects a leaf of optimizers.setup{tell_place(path)}, got {name_kind(state)}")


def _rebuild(plan: Any, state: Any, x: Any, done: list[tuple[list[Leaf], list[Array]]]) -> tuple[Any, Any]:
    """Build the next leaves and parameters, with the results that a plan names in their places."""
    if plan is None:
        return state, x
    if isinstance(plan, tuple):
        number, place = plan
        leaves, xs = done[number]
        return leaves[place], x.replace(xs[place]) if isinstance(x, FlatParameters) else xs[place]
    if isinstance(plan, dict):
        pairs = {key: _rebuild(inner, state[key], x[key], done) for key, inner in plan.items()}
        return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}
    each = [_rebuild(inner, state[i], x[i], done) for i, inner in enumerate(plan)]
    return tree.like_sequence(x, [s for s, _ in each]), tree.like_sequence(x, [y for _, y in each])


def _list_ties(state: Any, path: Path = ()) -> list[tuple[Path, Path]]:
    """List the further places of parameters that occur several times, each with the place that has the leaf."""
    if state is None or isinstance(state, Leaf):
        return []
    if isinstance(state, Tied):
        return [(path, state.first.value)]
    if isinstance(state, Mapping):
        children = state.items()
    elif isinstance(state, (tuple, list)):
        children = enumerate(state)
    else:
        return []
    return [tie for key, child in children for tie in _list_ties(child, (*path, key))]
