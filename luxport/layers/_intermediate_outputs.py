"""The outputs of all layers in a chain: `intermediate_outputs`."""

from __future__ import annotations

from typing import Any

from luxport.call_arguments import explain_call_errors
from luxport.core.layer_base import Parameters, States
from luxport.core.wrong_entries import find_wrong_entry
from luxport.errors import LayerError
from luxport.layers._containers import Chain
from luxport.text import name_kind

__all__ = ["intermediate_outputs"]


@explain_call_errors
def intermediate_outputs(model: Chain, x: Any, ps: Parameters, st: States) -> tuple[tuple[Any, ...], States]:
    """Return the outputs of all layers of a `Chain`, the last of which is that of the chain, and the new state.

    Args:
        model: a `Chain`
        x: its input
        ps: its parameters
        st: its states

    Raises: TypeError for a model that is no `Chain`
    Source: Flux.jl ``activations``

    >>> import numpy as np, luxport
    >>> model = luxport.Chain(lambda x: 2.0 * x, lambda x: x + 1.0)
    >>> intermediate_outputs(model, np.ones(1), *luxport.setup(0, model))[0]
    (array([2.]), array([3.]))
    """
    if not isinstance(model, Chain):
        raise TypeError(f"intermediate_outputs expects a Chain, got {name_kind(model)}")
    outputs, new_st = [], {}
    wrong = find_wrong_entry(model, ps, st)
    if wrong is not None:
        raise LayerError(f"intermediate_outputs {wrong}")
    for name, layer in model.layers.items():
        x, new_st[name] = layer(x, ps[name], st[name])
        outputs.append(x)
    return tuple(outputs), new_st
