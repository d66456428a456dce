"""`TrainState` in few buffers: how many of its arrays may share one, and what JAX is told of it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import jax
import jax.core

from luxport.when_imported import when_imported

__all__ = ["most_joined"]


def most_joined(arrays: list[Any]) -> int:
    """Tell how many of a state's arrays may share a buffer: 0 unless all are of one device, and none is traced.

    XLA compiles a kernel for each piece that it cuts out: many would take longer than they can save.
    """
    if not all([isinstance(array, jax.Array) and not isinstance(array, jax.core.Tracer) for array in arrays]):
        return 0
    return 32 if len({device for array in arrays for device in array.devices()}) == 1 else 0


def _register_train_state() -> None:
    """Tell JAX of `TrainState`: its entries are not in the tuple while they are kept in few buffers."""
    state: Any = import_module("luxport.training._state")
    keys = [jax.tree_util.GetAttrKey(name) for name in state.TrainState._fields]
    for kind in (state.TrainState, state.TakenState):  # to look at one that was taken over raises
        jax.tree_util.register_pytree_with_keys(
            kind,
            lambda state: (tuple(zip(keys, state, strict=True)), None),
            lambda _, entries: state.TrainState(*entries),
            lambda state: (tuple(state), None),
        )


when_imported("luxport.training._state", _register_train_state)
