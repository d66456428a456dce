"""Compiled steps that take and return training states packed into few buffers, see `luxport.training._packing`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport import tree
from luxport.backend import backend_of, find_first_array
from luxport.training._packing import Layout, PackedEntries, find_layout
from luxport.training._state import TrainState, make_lazy_state
from luxport.tree.static import Static

__all__ = ["keep_packed", "run_packed"]


def keep_packed(backend: Any, plain: Callable[..., Any], packed_program: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of data and a state that packs the state before the first step and leaves it packed.

    Args:
        backend: the backend of the state's arrays
        plain: the step for a state whose arrays cannot be joined
        packed_program: the step between packed states, by `run_packed`, compiled
    """

    def run(data: Any, state: TrainState) -> Any:
        if state.lazy is not None:
            packed = state.lazy.packed
        else:
            most = backend.most_joined(tree.leaves(state))
            if not most:
                return plain(data, state)
            packed = find_layout(state, most).pack_with_layout(state)
        array = find_first_array(data)
        if array is not None and backend_of(array) is not backend:
            backend_of(array, packed[1][0])  # raises an error that names both backends
        loss, stats, packed, finite = packed_program(data, packed)
        return loss, stats, make_lazy_state(state.program, PackedEntries(packed, backend)), finite

    return run


def run_packed(step: Callable[[Layout, Any, TrainState], Any], data: Any, packed: tuple[Static[Layout], Any]) -> Any:
    """Take a step from a packed state to the next one, inside a compiled program.

    Args:
        step: a function of the layout, data and a state whose parameters are joined; it returns the loss, statistics,
            the next such state, and whether all numbers were finite
        data: the data of the step
        packed: the layout and the buffers
    """
    layout, buffers = packed[0].value, packed[1]
    loss, stats, new, finite = step(layout, data, layout.unpack_joined(buffers))
    changed = layout.adapt_to(new)
    return loss, stats, (Static(changed), changed.pack_joined(new)), finite
