"""`setup` and `update`: a rule over a tree of parameters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from luxport import tree
from luxport.backend import Array, backend_of, dtype_name, namespace, same_shape
from luxport.call_arguments import says_what_it_takes
from luxport.core.flat import FlatParameters
from luxport.core.input_checks import shape_text
from luxport.optimizers._adjustments import is_leaf, is_tied, rule_of
from luxport.optimizers._chain import MixedPrecision
from luxport.optimizers._making import check_rule
from luxport.optimizers._rule import Rule, apply_rule, subtract
from luxport.text import kind_of
from luxport.tree.static import Static

__all__ = ["setup", "update"]


@says_what_it_takes
def setup(rule: Rule, ps: tree.Tree) -> tree.Tree:
    """Make the state of a rule for a tree of parameters.

    The state is a plain tree like ps. Where ps has a floating or complex array, the state has a leaf,
    ``{"rule": Static(rule), "state": ...}``, with ``"frozen": Static(True)`` if `update` is to pass it over; where
    ps has anything else, the state has None. Half precision is too narrow for moments and for small steps: a rule
    works on such an array in float32, and the leaf has a third entry, ``"remainder"``, which is what the rounding of
    the array has cut off (`MixedPrecision` has a copy instead). So compilers and transforms take it as an argument,
    and compile anew for another rule; `adjust` tells how hyper-parameters change without.

    An array that stands in several places of ps (the same object, not only equal) is one parameter: it has a leaf in
    the first, and in each of the others ``{"tied": Static(path)}``. `FlatParameters` are one parameter, their vector.

    Warns: UserWarning if there is nothing to optimize
    Source: Optimisers.jl ``setup``

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> setup(optimizers.Momentum(0.1), {"weight": np.ones(2), "steps": np.array(3)})["weight"]["state"]
    array([0., 0.])
    """
    check_rule(rule)
    places: dict[int, tuple[Any, ...]] = {}
    state = _setup(rule, ps, (), places)
    if not places:
        warnings.warn("optimizers.setup found no floating array to optimize", stacklevel=2)
    return state


@says_what_it_takes
def update(state: tree.Tree, ps: tree.Tree, grads: tree.Tree, *more: tree.Tree) -> tuple[tree.Tree, tree.Tree]:
    """Return the next state and the next parameters; nothing is changed in place.

    The gradients are a tree like ps. A None among them, for an array or a whole subtree, leaves parameters and
    state as they are; so does whatever stands where ps has no floating array. A parameter that is tied to others
    takes one step, by the sum of their gradients, and stands in all their places afterwards.

    Further trees, such as second derivatives, go to the rules that take them.

    Raises: ValueError if a gradient does not fit its parameter, or the state the parameters
    Source: Optimisers.jl ``update``

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> ps = {"weight": np.ones(2), "bias": np.ones(1)}
    >>> state = optimizers.setup(optimizers.Momentum(0.1), ps)
    >>> update(state, ps, {"weight": np.array([1.0, 2.0]), "bias": None})[1]
    {'weight': array([0.9, 0.8]), 'bias': array([1.])}
    """
    ties = _ties(state)
    sums: dict[Path, Any] = {}
    for place, first in ties:
        dx = _find(grads, place)
        if dx is not None:
            dx = _fitting(dx, _find(ps, first), place)
            sums[first] = dx if first not in sums else sums[first] + dx
    new_state, new_ps = _update(state, ps, grads, more, (), sums)
    for place, first in ties:
        new_ps = _put(new_ps, place, _find(new_ps, first))
    return new_state, new_ps


Path = tuple[Any, ...]


def _setup(rule: Rule, x: Any, path: Path, places: dict[int, Path]) -> Any:
    if isinstance(x, FlatParameters):
        x = x.vector
    if isinstance(x, Mapping):
        return {key: _setup(rule, value, (*path, key), places) for key, value in x.items()}
    if isinstance(x, (tuple, list)):
        return tree.like_sequence(x, [_setup(rule, value, (*path, i), places) for i, value in enumerate(x)])
    if not _is_trainable(x):
        return None
    first = places.setdefault(id(x), path)
    if first is not path:
        return {"tied": Static(first)}
    if not _is_half(x):
        return {"rule": Static(rule), "state": rule.init(x)}
    wide = _widened(x)
    leaf = {"rule": Static(rule), "state": rule.init(wide)}
    return leaf if isinstance(rule, MixedPrecision) else {**leaf, "remainder": namespace(wide).zeros_like(wide)}


def _update(state: Any, x: Any, dx: Any, more: tuple[Any, ...], path: Path, sums: dict[Path, Any]) -> tuple[Any, Any]:
    """Update one place; `sums` has gradients from other places, by the path of their parameter."""
    if state is None or (dx is None and not any(first[: len(path)] == path for first in sums)):
        return state, x
    if isinstance(x, FlatParameters):
        state, vector = _update(
            state, x.vector, _as_vector(dx, x), tuple([_as_vector(one, x) for one in more]), path, sums
        )
        return state, x.replace(vector)
    if isinstance(x, Mapping):
        _check_keys(state, x, dx, path)
        pairs = {
            key: _update(state[key], x[key], _entry(dx, key), _entries(more, key), (*path, key), sums) for key in x
        }
        return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}
    if isinstance(x, (tuple, list)):
        _check_length(state, x, dx, path)
        each = [_update(state[i], x[i], _entry(dx, i), _entries(more, i), (*path, i), sums) for i in range(len(x))]
        return tree.like_sequence(x, [s for s, _ in each]), tree.like_sequence(x, [y for _, y in each])
    if is_tied(state):
        return state, x
    if not is_leaf(state):
        raise ValueError(f"update expects a leaf of optimizers.setup{_at(path)}, got {kind_of(state)}")
    if state.get("frozen"):
        return state, x
    total = sums.get(path)
    if dx is not None:
        dx = _fitting(dx, x, path)
        total = dx if total is None else dx + total
    further = tuple([_fitting(one, x, path) for one in more])
    if _is_half(x):
        return _update_half(state, x, total, further)
    inner, step = apply_rule(rule_of(state), state["state"], x, total, further)
    return {**state, "state": inner}, subtract(x, step)


def _update_half(state: Any, x: Array, dx: Array, more: tuple[Array, ...]) -> tuple[Any, Array]:
    """Step in float32: from what the parameter would be if it had not been rounded, as far as the state knows."""
    wide = _widened(x)
    if "remainder" in state:
        wide = wide + state["remainder"]
    inner, step = apply_rule(rule_of(state), state["state"], wide, dx, more)
    if step is None:
        return {**state, "state": inner}, x
    xp = namespace(x)
    wide = subtract(wide, step)
    y = xp.astype(wide, x.dtype)
    state = {**state, "state": inner}
    return ({**state, "remainder": wide - _widened(y)} if "remainder" in state else state), y


def _entry(values: Any, key: Any) -> Any:
    return None if values is None else values[key]


def _entries(trees: tuple[Any, ...], key: Any) -> tuple[Any, ...]:
    return tuple([_entry(one, key) for one in trees]) if trees else ()


def _ties(state: Any, path: Path = ()) -> list[tuple[Path, Path]]:
    """List the places of tied parameters, each with the place that has the leaf."""
    if isinstance(state, Mapping):
        if "tied" in state and is_tied(state):
            return [(path, state["tied"].value)]
        if is_leaf(state):
            return []
        children = state.items()
    elif isinstance(state, (tuple, list)):
        children = enumerate(state)
    else:
        return []
    return [tie for key, child in children for tie in _ties(child, (*path, key))]


def _find(values: Any, path: Path) -> Any:
    """Return what stands at a path, or None if there is a None on the way."""
    for key in path:
        if values is None:
            return None
        values = values[key]
    return values


def _put(values: Any, path: Path, value: Any) -> Any:
    """Return a copy with a value at a path."""
    if not path:
        return value
    key, *rest = path
    changed = _put(values[key], tuple(rest), value)
    if isinstance(values, Mapping):
        return {**values, key: changed}
    return tree.like_sequence(values, [changed if i == key else entry for i, entry in enumerate(values)])


def _as_vector(dx: Any, x: FlatParameters) -> Any:
    if isinstance(dx, FlatParameters):
        return dx.vector
    return x.layout.flatten_gradient(dx, x.vector) if isinstance(dx, Mapping) else dx


def _fitting(dx: Any, x: Array, path: tuple[str, ...]) -> Array:
    """Return the gradient in the dtype of its parameter, or in float32 if that is half precision."""
    shape, given = x.shape, getattr(dx, "shape", None)
    if given != shape and (given is None or not same_shape(given, shape)):
        got = type(dx).__name__ if given is None else shape_text(dx)
        raise ValueError(f"update expects a gradient of shape {shape_text(x)}{_at(path)}, got {got}")
    if dx.dtype == x.dtype and not _is_half(x):
        return dx
    if "complex" in str(dx.dtype) and "complex" not in str(x.dtype):
        raise ValueError(f"update expects a real gradient{_at(path)}, got a complex one")
    xp = backend_of(x, dx).xp
    return xp.astype(dx, xp.float32 if _is_half(x) else x.dtype)


def _is_half(x: Array) -> bool:
    return dtype_name(x) in ("float16", "bfloat16")


def _widened(x: Array) -> Array:
    xp = namespace(x)
    return xp.astype(x, xp.float32)


def _check_keys(state: Any, x: Any, dx: Any, path: tuple[str, ...]) -> None:
    for what, other in (("a gradient", dx), ("a state", state)):
        if other is not None and (not isinstance(other, Mapping) or other.keys() != x.keys()):
            got = f"entries {_names(other)}" if isinstance(other, Mapping) else type(other).__name__
            raise ValueError(f"update expects {what} with entries {_names(x)}{_at(path)}, got {got}")


def _check_length(state: Any, x: Any, dx: Any, path: tuple[str, ...]) -> None:
    for what, other in (("a gradient", dx), ("a state", state)):
        if other is not None and (not isinstance(other, (tuple, list)) or len(other) != len(x)):
            got = f"{len(other)}" if isinstance(other, (tuple, list)) else type(other).__name__
            raise ValueError(f"update expects {what} with {len(x)} entries{_at(path)}, got {got}")


def _names(entries: Any) -> str:
    return "{" + ", ".join(map(str, entries)) + "}"


def _at(path: tuple[str, ...]) -> str:
    return f" at {'.'.join(map(str, path))}" if path else ""


def _is_trainable(leaf: Any) -> bool:
    kind = str(getattr(leaf, "dtype", None))
    return "float" in kind or "complex" in kind
