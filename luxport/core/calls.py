"""`apply` and `stateless_apply`: functions that call a model."""

from __future__ import annotations

from typing import Any

from luxport.call_arguments import explain_call_errors
from luxport.core.counts import state_length
from luxport.core.initial_values import initial_states
from luxport.core.layer import Layer, check_layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError

__all__ = ["apply", "stateless_apply"]


@explain_call_errors
def apply(model: Layer, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
    """Return ``model(x, ps, st)``."""
    check_layer("apply", model)
    return model(x, ps, st)


@explain_call_errors
def stateless_apply(model: Layer, x: Any, ps: Parameters) -> Any:
    """Call a model that has no states and return only its output.

    Raises: LayerError if the model has states

    >>> import numpy as np, luxport
    >>> stateless_apply(luxport.NoOpLayer(), np.ones(2), {})
    array([1., 1.])
    """
    check_layer("stateless_apply", model)
    from luxport.core.abstract_arrays import AbstractRng

    st = initial_states(AbstractRng(), model)
    if state_length(st):
        raise LayerError(
            "has states, and stateless_apply expects a model without any: call model(x, ps, st)",
            culprit=type(model).__name__,
        )
    return model(x, ps, st)[0]
