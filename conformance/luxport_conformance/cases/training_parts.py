"""Objectives that are functions of parameters, and states without a model, which the cases of training share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import luxport
from luxport.training import TrainState
from luxport_conformance.compiling import compiles_operations

__all__ = ["Of", "prefers_jit", "start_training"]


@dataclass(frozen=True)
class Of:
    """The objective ``f(ps, *data)``, which returns a loss, or a loss and statistics with `has_stats`."""

    f: Callable[..., Any]
    has_stats: bool = False

    def __call__(self, model: Any, ps: Any, st: Any, data: Any) -> Any:
        """Return the loss, the state and the statistics."""
        found = self.f(ps, *(data if isinstance(data, tuple) else (data,)))
        return (found[0], st, found[1]) if self.has_stats else (found, st, {})


def start_training(rule: Any, ps: Any, st: Any = None) -> TrainState:
    """Return a state for training parameters without a model."""
    return TrainState.create(luxport.NoOpLayer(), rule, ps=ps, st={} if st is None else st)


def prefers_jit(array: Any) -> bool:
    """Return whether the array's backend compiles each operation, so that jit is faster even for a single run."""
    return compiles_operations(luxport.backend_of(array).name)
