"""Programs between states in few buffers: see `luxport.training._packing`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport import tree
from luxport.backend import backend_of, find_first_array
from luxport.training._packing import Kept, Layout, find_layout
from luxport.training._state import TrainState, make_kept_state
from luxport.tree.static import Static

__all__ = ["keep_packed", "run_packed"]


def keep_packed(backend: Any, plain: Callable[..., Any], packed_program: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of data and a state that keeps states in few buffers.

    Args:
        backend: whose arrays they are
        plain: what takes a state as it is, where its arrays cannot be joined
        packed_program: what `run_packed` has made of a step, compiled
    """

    def run(data: Any, state: TrainState) -> Any:
        if state.kept is not None:
            packed = state.kept.packed
        else:
            most = backend.most_joined(tree.leaves(state))
            if not most:
                return plain(data, state)
            packed = find_layout(state, most).packed(state)
        array = find_first_array(data)
        if array is not None and backend_of(array) is not backend:
            backend_of(array, packed[1][0])  # says so
        loss, stats, packed, finite = packed_program(data, packed)
        return loss, stats, make_kept_state(state.program, Kept(packed, backend)), finite

    return run


def run_packed(step: Callable[[Layout, Any, TrainState], Any], data: Any, packed: tuple[Static[Layout], Any]) -> Any:
    """Take a step, inside a program, from a state in buffers to the next one.

    Args:
        step: from the layout, data and a state whose parameters are joined to loss, statistics, the next one and
            whether all was finite
        data: what it is given
        packed: the layout and the buffers
    """
    layout, buffers = packed[0].value, packed[1]
    loss, stats, new, finite = step(layout, data, layout.narrow(buffers))
    changed = layout.for_narrow(new)
    return loss, stats, (Static(changed), changed.pack_narrow(new)), finite
