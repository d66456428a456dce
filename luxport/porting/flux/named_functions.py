"""The luxport functions for the names of Julia functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from luxport import ops
from luxport.ops import activations
from luxport.porting import julia

__all__ = ["ACTIVATIONS", "find_named_function"]


ACTIVATIONS: Mapping[str, Callable[..., Any]] = {
    **{name: getattr(ops, name) for name in activations.__all__ if callable(getattr(ops, name, None))},
    "hardσ": ops.hardsigmoid,
    "logσ": ops.logsigmoid,
    "logsoftmax": ops.logsoftmax,
    "softmax": ops.softmax,
    "softmax!": ops.softmax,
    "σ": ops.sigmoid,
    "σ_fast": ops.sigmoid_fast,
}
"""luxport's functions of one array, by the last part of their Julia names."""


def find_named_function(value: Any) -> Callable[..., Any] | None:
    """Return luxport's counterpart of a named Julia function, None if there is none."""
    if not isinstance(value, julia.Function) or value.anonymous:
        return None
    return ACTIVATIONS.get(value.name)
