"""`to_keras` and `from_keras`: convert luxport models to Keras 3 layers, and Keras layers and models to luxport."""

from __future__ import annotations

import functools
from itertools import count
from os import PathLike
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import Backend, backend_of
from luxport.call_arguments import explain_call_errors
from luxport.core.initial_values import initial_parameters, initial_states
from luxport.core.layer import Layer, check_layer
from luxport.core.layer_base import Parameters, States
from luxport.core.modes import test_mode
from luxport.layers._containers import Chain
from luxport.layers._function_layers import NoOpLayer, WrappedFunction
from luxport.porting.errors import NoCounterpartError
from luxport.porting.files.saving import check_fit
from luxport.porting.initial_trees import fill_trees
from luxport.porting.keras.arguments import list_steps
from luxport.porting.keras.functions import move_channels
from luxport.porting.keras.graph import Ported, trace_network
from luxport.porting.keras.layer_type import make_layer_type
from luxport.porting.keras.other_layers import make_time_distributed_port
from luxport.porting.keras.steps import Step
from luxport.porting.loading import place_values
from luxport.porting.with_options import WithOptions
from luxport.random import Rng
from luxport.text import name_kind

__all__ = ["from_keras", "to_keras"]


@explain_call_errors
def to_keras(model: Layer, ps: Parameters, st: States, *, name: str | None = None) -> Any:
    """Return a `keras.layers.Layer` of a model, with copies of its parameters and states, which may be of any backend.

    It runs on Keras's backend, inside `keras.Model` and `fit` like any layer. Its weights have names such as
    ``ps-layer_1-weight``, and keep their dtypes: with half-precision parameters it computes in half precision,
    whatever Keras's dtype policy is. The arrays of the state are not trainable, and each call updates them. Keras's
    `training` sets the mode of every layer. A model that takes a tuple accepts a tuple or list of inputs.
    ``layer.trees()`` returns parameters and states as luxport's layers take them.

    Keras can save it, as weights or in a whole model (``model.save("name.keras")``), and clone it with new initial
    values. A program that loads such a model must import this function first: ``from luxport import to_keras``.
    Register your own functions and layers by ``keras.saving.register_keras_serializable``, as for Keras's layers.

    Args:
        model: a layer
        ps: its parameters
        st: its states
        name: the name of the layer in Keras; None for a name that Keras chooses

    Raises: TypeError if `model` is no layer; ModuleNotFoundError without Keras; ValueError, when called, if the state
            changes its structure, for example by a carry that the first call adds
    """
    check_layer("to_keras", model)
    try:
        kind = make_layer_type()
    except ModuleNotFoundError as error:
        if error.name != "keras":
            raise
        raise ModuleNotFoundError(
            "to_keras needs Keras 3, which is not installed: pip install keras", name="keras"
        ) from None
    check_fit("to_keras", model, ps, st)
    return kind(model, ps, st, name=name)


@explain_call_errors
def from_keras(
    layer: Any,
    *,
    rng: int | Rng = 0,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[Layer, dict[str, Any], dict[str, Any]]:
    """Return the luxport model that computes the same as a Keras layer or model: ``model, ps, st``.

    Arrays are copies. Sequential, and a Functional model that is one chain, become a `Chain` with the names of the
    layers; any other Functional model becomes a graph of its layers, each of which occurs once.

    Inputs and outputs have Keras's layout. The chain has layers that move the channels of images to the front where
    luxport's layers need them there, and back where the order matters, so that a Flatten gives the same as in Keras.
    Recurrent layers with ``return_state`` return (y, carry). The state is in test mode, as Keras's models are by
    default (see `train_mode`).

    In training, running variances are updated with the unbiased variance of the batch, in Keras with the biased one;
    ``trainable``, regularizers and constraints are ignored.

    Args:
        layer: a layer or a model of Keras
        rng: a seed, or an `luxport.rng`, for values that Keras's layers do not have: the keys of dropout
        backend: the backend of the arrays; the default backend if None
        device: the device of the arrays; the backend's default device if None
        dtype: the floating dtype of the arrays; their own if None

    Raises: TypeError if `layer` is no Keras layer; ValueError with the name and path of a layer that has no
            counterpart: it has an unknown class, an option that luxport does not have, or no weights yet
    """
    if not any(kind.__module__ == "keras.src.layers.layer" for kind in type(layer).__mro__):
        hint = ": open a file by keras.saving.load_model" if isinstance(layer, (str, PathLike)) else ""
        hint = ": call it" if isinstance(layer, type) else hint
        raise TypeError(f"from_keras expects a layer or model of Keras, got {name_kind(layer)}{hint}")
    model, given_ps, given_st = _port(layer, "")
    rng = Rng.of(rng)
    ps = fill_trees(initial_parameters(rng, model), given_ps, "from_keras")
    st = test_mode(fill_trees(initial_states(rng, model), given_st, "from_keras"))
    return model, *place_values((ps, st), backend, device, dtype)


def _port(layer: Any, path: str) -> Ported:
    """Port a model as a chain or a graph, and a layer as one layer, or as a chain if it needs several."""
    children = _list_children(layer, path)
    if children == "graph":
        return trace_network(getattr(layer, "_functional", None) or layer, _port, path or layer.name)
    found = _list_steps(layer, path) if children is None else None
    if found is not None and len(found) == 1 and found[0].layout != "first":
        return found[0].layer, found[0].ps, found[0].st
    named: dict[str, Step] = {}
    moved = False
    for child, parts in [(layer, found)] if found is not None else [(c, _list_steps(c, path)) for c in children or ()]:
        for step in parts:
            if step.layout != "any" and moved != (step.layout == "first"):
                moved = not moved
                _add_step(named, _MOVES[moved], _make_channel_move(moved))
            _add_step(named, f"{child.name}_{step.suffix}" if step.suffix else child.name, step)
            moved = moved and not step.is_flat
    if moved:
        _add_step(named, _MOVES[False], _make_channel_move(False))
    if not named:
        return NoOpLayer(), {}, {}
    chain = Chain({name: step.layer for name, step in named.items()})
    return chain, {name: step.ps for name, step in named.items()}, {name: step.st for name, step in named.items()}


_MOVES = {True: "channels_first", False: "channels_last"}


def _make_channel_move(first: bool) -> Step:
    return Step(WrappedFunction(WithOptions.with_keywords(move_channels, to="first" if first else "last")))


def _add_step(named: dict[str, Step], name: str, step: Step) -> None:
    """Add a step under its name, or under that name with a number if the name is taken."""
    free = name if name not in named else next(f"{name}_{i}" for i in count(2) if f"{name}_{i}" not in named)
    named[free] = step


def _list_steps(layer: Any, path: str) -> list[Step]:
    here = f"{path}.{layer.name}" if path else layer.name
    try:
        if isinstance(layer, make_layer_type()):
            ps, st = layer.trees()
            host = functools.partial(tree.map, lambda leaf: np.array(backend_of(leaf).to_numpy(leaf)))
            return [Step(layer._model, host(ps), host(st), layout="keras")]
        if type(layer).__name__ in ("Sequential", "Functional"):
            return [Step(*_port(layer, here), layout="keras")]
        if type(layer).__name__ == "TimeDistributed":
            return [make_time_distributed_port(_port)(layer)]
        return list_steps(layer)
    except NoCounterpartError:
        raise
    except (ValueError, TypeError) as error:
        raise NoCounterpartError(f"from_keras: {type(layer).__name__} at {here} has no counterpart: {error}") from None


def _list_children(model: Any, path: str) -> Any:
    """Return the layers of a chain in the order of their calls, "graph" for any other model, None for a layer."""
    kind = type(model).__name__
    here = f"{kind} at {path or model.name}"
    if not any(base.__module__ == "keras.src.models.model" for base in type(model).__mro__):
        return None
    if not type(model).__module__.startswith("keras.src.models."):
        raise NoCounterpartError(f"from_keras: {here} has no counterpart: it is neither Sequential nor Functional")
    layers = list(model.layers) if kind == "Sequential" else _list_calls(model)
    if layers is None or _has_masks(model):
        return "graph"
    again = [
        layer.name for i, layer in enumerate(layers) if layer.weights and any(layer is other for other in layers[:i])
    ]
    if again and kind == "Functional":
        return "graph"
    if again:
        raise NoCounterpartError(f"from_keras: {here} has no counterpart: {again[0]} is used more than once")
    return [layer for layer in layers if type(layer).__name__ != "InputLayer"]


def _has_masks(model: Any) -> bool:
    """Return whether a model passes masks from layer to layer."""
    graph = getattr(model, "_functional", None) or model
    nodes = [node for nodes in getattr(graph, "_nodes_by_depth", {}).values() for node in nodes]
    return any(getattr(tensor, "_keras_mask", None) is not None for node in nodes for tensor in node.outputs)


def _list_calls(model: Any) -> list[Any] | None:
    """Return the layers of a Functional model in the order of their calls, None if it is no chain."""
    layers: list[Any] = []
    if not (len(model.inputs) == len(model.outputs) == 1 and model._outputs_struct is model.outputs[0]):
        return None
    tensor = model.outputs[0]
    while tensor is not model.inputs[0]:
        layer, index, _ = tensor._keras_history
        node = layer._inbound_nodes[index]
        given = [name for name, value in node.arguments.kwargs.items() if value is not None]
        if given or len(node.input_tensors) != 1 or len(node.outputs) != 1 or len(node.arguments.args) != 1:
            return None
        if not any(kind.__module__ == "keras.src.layers.layer" for kind in type(layer).__mro__):
            return None
        layers.append(layer)
        (tensor,) = node.input_tensors
    return layers[::-1]
