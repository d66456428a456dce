"""`match_eltype`: convert inputs to the dtype of a layer's parameters, or report that they differ."""

from __future__ import annotations

import os
from typing import Any, Literal

from luxport import tree
from luxport.backend import Array, backend_of, dtype_name
from luxport.backend._precision import choose_dtype_at
from luxport.call_arguments import explain_call_errors
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerTypeError
from luxport.text import show, warn

__all__ = ["match_eltype"]

Policy = Literal["none", "warn", "convert", "error"]


@explain_call_errors
def match_eltype(layer: Layer, ps: Parameters, st: States, x: Any, *, policy: Policy | None = None) -> Any:
    """Return an input, a tree of arrays, in the dtype of a layer's parameters, or report that its dtype differs.

    Layers accept no other dtype than their parameters': call this where data enters a program. Only inputs that are
    wider than the parameters, and integers, are converted; narrower ones are returned unchanged. The policy is "none"
    (return the input), "warn", "convert" or "error"; the default is the environment's ``LUXPORT_ELTYPE_MISMATCH``, or
    "none".

    Raises: ValueError for an unknown policy; LayerTypeError for a mismatch, if the policy is "error"
    Source: Lux.jl ``match_eltype``

    >>> import numpy as np, luxport
    >>> model = luxport.Dense(2, 1)
    >>> ps, st = luxport.setup(0, model)
    >>> match_eltype(model, ps, st, np.ones((1, 2)), policy="convert").dtype.name
    'float32'
    """
    chosen = policy or os.environ.get("LUXPORT_ELTYPE_MISMATCH") or "none"
    if chosen not in ("none", "warn", "convert", "error"):
        raise ValueError(f"match_eltype expects 'none', 'warn', 'convert' or 'error' as policy, got {show(chosen)}")
    leaves = [leaf for path, leaf in tree.leaves_with_path((ps, st)) if choose_dtype_at(path, "float16") == "float16"]
    wanted = next((name for leaf in leaves if (name := dtype_name(leaf)) in _WIDTHS), None)
    if chosen == "none" or wanted is None:
        return x

    def match(leaf: Array) -> Array:
        kind = dtype_name(leaf)
        if "int" not in kind and _WIDTHS.get(kind, 0) <= _WIDTHS[wanted]:
            return leaf
        if chosen == "error":
            raise LayerTypeError(f"expects {wanted} as its parameters, got {kind}", culprit=type(layer).__name__)
        if chosen == "warn":
            warn(f"{type(layer).__name__} has {wanted} parameters, and was given {kind}")
            return leaf
        return backend_of(leaf).asarray(leaf, dtype=wanted)

    return tree.map(match, x)


_WIDTHS = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64}
