"""`setup` and `update`: a rule over a tree of parameters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from luxport import tree
from luxport.backend import Array, backend_of
from luxport.layers.checks import shape_text
from luxport.optimisers.rule import Rule
from luxport.static import Static

__all__ = ["setup", "update"]


def setup(rule: Rule, ps: tree.Tree) -> tree.Tree:
    """Make the state of a rule for a tree of parameters.

    The state is a plain tree like ps. Where ps has a floating or complex array, the state has a leaf,
    ``{"rule": Static(rule), "state": ...}``, with ``"frozen": Static(True)`` if `update` is to pass it over; where
    ps has anything else, the state has None. So compilers and transforms take it as an argument, and compile anew
    for another rule.

    Warns: UserWarning if there is nothing to optimise

    >>> import numpy as np
    >>> from luxport import optimisers
    >>> setup(optimisers.Momentum(0.1), {"weight": np.ones(2), "steps": np.array(3)})["weight"]["state"]
    array([0., 0.])
    """

    def leaf(x: Any) -> Any:
        if not _is_trainable(x):
            return None
        return {"rule": Static(rule), "state": rule.init(x)}

    if not any(_is_trainable(leaf) for leaf in tree.leaves(ps)):
        warnings.warn("optimisers.setup found no floating array to optimise", stacklevel=2)
    return tree.map(leaf, ps)


def update(state: tree.Tree, ps: tree.Tree, grads: tree.Tree) -> tuple[tree.Tree, tree.Tree]:
    """Return the next state and the next parameters; nothing is changed in place.

    The gradients are a tree like ps. A None among them, for an array or a whole subtree, leaves parameters and
    state as they are; so does whatever stands where ps has no floating array.

    Raises: ValueError if a gradient does not fit its parameter, or the state the parameters

    >>> import numpy as np
    >>> from luxport import optimisers
    >>> ps = {"weight": np.ones(2), "bias": np.ones(1)}
    >>> state = optimisers.setup(optimisers.Momentum(0.1), ps)
    >>> update(state, ps, {"weight": np.array([1.0, 2.0]), "bias": None})[1]
    {'weight': array([0.9, 0.8]), 'bias': array([1.])}
    """
    return _update(state, ps, grads, ())


def _update(state: Any, x: Any, dx: Any, path: tuple[str, ...]) -> tuple[Any, Any]:
    if dx is None or state is None:
        return state, x
    if isinstance(x, Mapping):
        _check_keys(state, x, dx, path)
        pairs = {key: _update(state[key], x[key], dx[key], (*path, key)) for key in x}
        return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}
    if isinstance(x, (tuple, list)):
        _check_length(state, x, dx, path)
        each = [_update(*three, (*path, str(i))) for i, three in enumerate(zip(state, x, dx, strict=True))]
        return _like(x, [s for s, _ in each]), _like(x, [y for _, y in each])
    if not (isinstance(state, Mapping) and isinstance(state.get("rule"), Static)):
        raise ValueError(f"update expects a leaf of optimisers.setup{_at(path)}, got {type(state).__name__}")
    if state.get("frozen"):
        return state, x
    inner, step = state["rule"].value.apply(state["state"], x, _fitting(dx, x, path))
    return {**state, "state": inner}, x if step is None else x - step


def _like(sequence: Any, values: list[Any]) -> Any:
    """Make a list, tuple or named tuple of the same type."""
    kind = type(sequence)
    return kind(values) if kind in (tuple, list) else kind(*values)


def _fitting(dx: Any, x: Array, path: tuple[str, ...]) -> Array:
    """Return the gradient in the dtype of its parameter."""
    shape, given = x.shape, getattr(dx, "shape", None)
    if given != shape and not _same_shape(given, shape):
        got = type(dx).__name__ if given is None else shape_text(dx)
        raise ValueError(f"update expects a gradient of shape {shape_text(x)}{_at(path)}, got {got}")
    if dx.dtype == x.dtype:
        return dx
    if "complex" in str(dx.dtype) and "complex" not in str(x.dtype):
        raise ValueError(f"update expects a real gradient{_at(path)}, got a complex one")
    return backend_of(x, dx).xp.astype(dx, x.dtype)


def _same_shape(given: Any, shape: Any) -> bool:
    """Compare two shapes, in which a compiled program may not know every size yet."""
    return (
        given is not None
        and len(given) == len(shape)
        and all(n == m or n is None or m is None for n, m in zip(given, shape, strict=True))
    )


def _check_keys(state: Any, x: Any, dx: Any, path: tuple[str, ...]) -> None:
    for what, other in (("a gradient", dx), ("a state", state)):
        if not isinstance(other, Mapping) or other.keys() != x.keys():
            got = f"entries {_names(other)}" if isinstance(other, Mapping) else type(other).__name__
            raise ValueError(f"update expects {what} with entries {_names(x)}{_at(path)}, got {got}")


def _check_length(state: Any, x: Any, dx: Any, path: tuple[str, ...]) -> None:
    for what, other in (("a gradient", dx), ("a state", state)):
        if not isinstance(other, (tuple, list)) or len(other) != len(x):
            got = f"{len(other)}" if isinstance(other, (tuple, list)) else type(other).__name__
            raise ValueError(f"update expects {what} with {len(x)} entries{_at(path)}, got {got}")


def _names(entries: Any) -> str:
    return "{" + ", ".join(map(str, entries)) + "}"


def _at(path: tuple[str, ...]) -> str:
    return f" at {'.'.join(map(str, path))}" if path else ""


def _is_trainable(leaf: Any) -> bool:
    kind = str(getattr(leaf, "dtype", None))
    return "float" in kind or "complex" in kind
