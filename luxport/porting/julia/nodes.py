"""Look into a saved tree as a tree of parameters: entries by name, and arrays taken out of their wrappers."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux.fields import GENERATIONS, read_fields
from luxport.porting.julia.component_arrays import is_component_array, read_component_tree
from luxport.porting.julia.entries import list_children
from luxport.porting.julia.wrappers import unwrap_array

__all__ = ["read_entries", "has_arrays", "is_array", "is_node", "unwrap_node"]


def read_entries(value: Any) -> dict[str, Any]:
    """Return the entries of a tree by name: layers as ``layer_1``, ..., fields of Flux's structs by newest name."""
    entries = _list_plain_entries(value)
    state = entries.get("state0")
    if isinstance(state, tuple) and len(state) == 2:  # an LSTMCell's hidden and cell state
        entries = {**entries, "state0": state[0], "c": state[1]}
    return entries


def _list_plain_entries(value: Any) -> dict[str, Any]:
    match value:
        case dict():
            return {str(key): entry for key, entry in value.items()}
        case julia.NamedTuple():
            return dict(zip(value.names, value.values, strict=True))
        case julia.Dict():
            return {getattr(key, "name", str(key)): entry for key, entry in value.pairs}
        case np.ndarray() if value.dtype == object:
            return {f"layer_{i}": entry for i, entry in enumerate(value.ravel(), start=1)}
        case tuple() | list():
            return {f"layer_{i}": entry for i, entry in enumerate(value, start=1)}
        case julia.Struct() if is_component_array(value):
            return list_children(value)
        case julia.Struct(type=julia.TypeName(module, name)) if "Flux" in module and name in GENERATIONS:
            try:
                return read_fields(value, name)
            except FileFormatError:
                return {}
        case julia.Struct() if value.names is not None:
            return dict(zip(value.names, value.fields, strict=True))
    return {}


def unwrap_node(value: Any) -> Any:
    """Return an array without its wrappers, or the list of arrays in Zygote's or Flux's ``Params``; else the value."""
    if isinstance(value, julia.Struct) and isinstance(value.type, julia.TypeName):
        name = value.type.name
        if name == "Params" and value.fields:
            order = value.fields[0]
            # Since Zygote 0.5 the list is inside a Buffer, and a second field has the same arrays as a set.
            if isinstance(order, julia.Struct) and order.fields:
                order = order.fields[0]
            return order if isinstance(order, (list, tuple)) else value
        if is_component_array(value) or "Array" in name or name in ("Transpose", "Adjoint"):
            try:
                return read_component_tree(value) if is_component_array(value) else unwrap_array(value, name)
            except FileFormatError:
                return value
    return value


def is_node(value: Any) -> bool:
    """Return whether a value can contain arrays."""
    return isinstance(value, (dict, tuple, list, julia.NamedTuple, julia.Dict, julia.Struct)) or (
        isinstance(value, np.ndarray) and value.dtype == object
    )


def is_array(value: Any) -> bool:
    """Return whether a value is an array of numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fciu"


def has_arrays(value: Any) -> bool:
    """Return whether a value is an array of numbers or contains one."""
    value = unwrap_node(value)
    return is_array(value) or (is_node(value) and any(map(is_array, julia.yield_values(value))))
