"""Recognize a saved model of Lux, and find the parameters and states that belong to it in the same file."""

from __future__ import annotations

import math
import warnings
from typing import Any

import luxport
from luxport import tree
from luxport.core.initial_values import describe_values, initial_parameters
from luxport.porting.errors import FileFormatError, show
from luxport.porting.flux.building import Functions, Ported
from luxport.porting.julia.entries import find_states_beside, list_children
from luxport.porting.julia.nodes import has_arrays, is_node
from luxport.porting.lux.layers import is_model, port
from luxport.porting.lux.structs import find_kind
from luxport.text import warn

__all__ = ["is_saved_model", "build_with_parameters_beside"]

_WRAPPERS = ("StatefulLuxLayer", "TrainState")
"""Structs of Lux that hold a model together with its parameters and states."""

_PARAMETERS = ("ps", "parameters", "params", "p", "θ")

_MOST_DRAWN = 1 << 26
"""The most numbers that are drawn as initial parameters for a model whose file has none."""


def is_saved_model(value: Any) -> bool:
    """Return whether a value is a layer of Lux, or a struct with a layer, its parameters and its states."""
    return is_model(value) or (find_kind(value) in _WRAPPERS and is_model(list_children(value).get("model")))


def build_with_parameters_beside(value: Any, parent: Any, functions: Functions, path: str) -> Ported:
    """Build a model of Lux with the parameters and states that its file stores beside it.

    Raises: FileFormatError if the entry named as parameters does not fit, or several entries of other names do
    """
    if find_kind(value) in _WRAPPERS:
        value, parent = list_children(value)["model"], value
    entries = {name: entry for name, entry in list_children(parent).items() if entry is not value}
    found = {name: entry for name, entry in entries.items() if is_node(entry) and not is_saved_model(entry)}
    chosen = next((name for name in _PARAMETERS if name in entries), None)
    if chosen is not None:
        st = find_states_beside(parent, entries[chosen])
        return port(value, functions, entries[chosen] or (), st)
    fitting: dict[str, Ported] = {}
    for name, entry in found.items():
        if has_arrays(entry):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    fitting[name] = port(value, functions, entry, find_states_beside(parent, entry))
                except FileFormatError:
                    continue
    if len(fitting) > 1:
        raise FileFormatError(
            f"{len(fitting)} entries fit as parameters: {', '.join(map(show, fitting))}; "
            "save the right one under the name ps"
        )
    for name in fitting:
        return port(value, functions, found[name], find_states_beside(parent, found[name]))
    return _initialize(port(value, functions, None, find_states_beside(parent, None)).layer, path)


def _initialize(layer: luxport.Layer, path: str) -> Ported:
    """Return a layer with newly drawn parameters, because the file has none."""
    wanted = describe_values(initial_parameters, layer)
    count = sum(math.prod(leaf.shape) for leaf in tree.leaves(wanted))
    if count > _MOST_DRAWN:
        raise FileFormatError(f"the model has {count} parameters, and the file has none that fit")
    if count:
        warn(f"{path}: no parameters that fit stand beside the model: it gets initial ones")
    return Ported(layer, *luxport.setup(0, layer))
