"""Find parameters that an optimizer can update together, joined to one vector or stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from luxport import tree
from luxport.backend import backend_of, can, dtype_name
from luxport.core.layer import Layer
from luxport.core.surgery import named_modules
from luxport.layers._containers import Chain
from luxport.layers._layer_loops import find_runs
from luxport.optimizers._rule import Batched
from luxport.optimizers._state import Leaf, OptimizerState
from luxport.training._state import TrainState

__all__ = ["can_join_steps", "collect_leaves", "find_looped"]


def can_join_steps(state: TrainState, parameters: list[Any], leaves: list[Leaf]) -> bool:
    """Return whether an update of the joined parameters equals the updates of each.

    If so, the two empty lists are filled with the parameters and the optimizer's leaves.
    """
    opt_state = state.opt_state
    if not isinstance(opt_state, OptimizerState) or len(opt_state.groups) != 1:
        return False
    rule = opt_state.groups[0].rule.value
    if not (isinstance(rule, Batched) and rule.elementwise) or not collect_leaves(opt_state.leaves, leaves):
        return False
    parameters += tree.leaves(state.ps)
    if len(parameters) < 2 or len(parameters) != len(leaves) or _list_keys(state.ps) != _list_keys(opt_state.leaves):
        return False
    kind = dtype_name(parameters[0])
    structure = tree.structure(leaves[0].state)
    return kind in ("float32", "float64", "complex64", "complex128") and all(
        [
            dtype_name(x) == kind
            and tree.structure(leaf.state) == structure
            and all([array.shape == x.shape for array in tree.leaves(leaf.state)])
            for x, leaf in zip(parameters, leaves, strict=True)
        ]
    )


def find_looped(state: TrainState, parameters: Sequence[Any]) -> list[list[int]]:
    """List groups of positions of parameters that a compiled loop over equal layers uses as one stack."""
    if not can(backend_of(parameters[0]), "loops"):
        return []
    places = {path: i for i, (path, _) in enumerate(tree.leaves_with_path(state.ps))}
    found: list[list[int]] = []
    taken: set[int] = set()
    for path, layer in named_modules(state.model) if isinstance(state.model, Layer) else ():
        if not isinstance(layer, Chain) or not layer.scan:
            continue
        for _, names in find_runs(layer.layers):
            first, depth = (*path, names[0]), len(path) + 1
            for inner in [key[depth:] for key in places if key[:depth] == first]:
                run = [places.get((*path, name, *inner)) for name in names]
                known = [i for i in run if i is not None and i not in taken]
                alike = len({parameters[i].shape for i in known}) == 1
                if len(known) == len(names) > 1 and alike:
                    found.append(known)
                    taken |= {*known}
    return found


def collect_leaves(leaves: Any, found: list[Leaf]) -> bool:
    """Append the leaves of nested dicts to `found`; return False if one is not a plain trainable leaf."""
    for value in leaves.values() if type(leaves) is dict else (leaves,):
        if type(value) is dict:
            if not collect_leaves(value, found):
                return False
        elif type(value) is Leaf and value.remainder is None and value.group is None and value.frozen is None:
            found.append(value)
        else:
            return False
    return True


def _list_keys(values: Any) -> Any:
    return {key: _list_keys(value) for key, value in values.items()} if type(values) is dict else None
