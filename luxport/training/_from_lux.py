"""`load_train_state`: read a training state that Lux has saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

from luxport.backend import Backend
from luxport.call_arguments import explain_call_errors
from luxport.optimizers._state import Leaf, OptimizerState
from luxport.porting.loading import read_training
from luxport.training._state import TrainState

__all__ = ["load_train_state"]


@explain_call_errors
def load_train_state(
    path: str | PathLike[str],
    *,
    name: str | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> TrainState:
    """Read a ``TrainState`` of Lux to continue it: its model, parameters, states, optimizer, moments and step.

    Args:
        path: a JLD2 or BSON file that contains one
        name: its name, if the file has several; may be dotted
        functions: functions for parts of the model that cannot be read, as for `luxport.porting.load_model`
        backend: where the arrays are; the default backend if None
        device: on which of its devices
        dtype: the floating dtype of the arrays; None for that of the file

    Raises: FileFormatError if the file cannot be read, has no ``TrainState``, or one whose optimizer has no counterpart
            in `luxport.optimizers`
    """
    saved = read_training(path, name, functions or {}, (backend, device, dtype))
    optimizer = saved.optimizer
    state = TrainState.create(saved.layer, optimizer.rule, ps=saved.ps, st=saved.st)
    groups = tuple([group._replace(clock=optimizer.clock) for group in state.opt_state.groups])
    leaves = _put_moments(state.opt_state.leaves, (), optimizer.states)
    return state.replace(opt_state=OptimizerState(groups, leaves), step=saved.step)


def _put_moments(leaves: Any, at: tuple[str, ...], states: Mapping[str, Any]) -> Any:
    if isinstance(leaves, dict):
        return {key: _put_moments(entry, (*at, key), states) for key, entry in leaves.items()}
    return leaves._replace(state=states[".".join(at)]) if isinstance(leaves, Leaf) and states else leaves
