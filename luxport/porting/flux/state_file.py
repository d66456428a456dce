"""`save_flux_state`: write parameters and states to a JLD2 file, in the structure of `Flux.state`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import luxport
from luxport.call_arguments import explain_call_errors
from luxport.core.containers import ContainerLayer
from luxport.core.counts import parameter_length
from luxport.core.layer import Layer, check_layer
from luxport.core.layer_base import Parameters, States, name_layers
from luxport.porting import julia
from luxport.porting.errors import NoCounterpartError
from luxport.porting.files.atomic_files import open_atomic
from luxport.porting.files.file_names import check_file_suffix
from luxport.porting.files.jld2.writer import write
from luxport.porting.files.opening import check_path
from luxport.porting.files.saving import check_fit
from luxport.porting.flux._leaf_states import (
    FUNCTION,
    make_cell_writer,
    make_named_tuple,
    write_adaptive,
    write_alpha_dropout,
    write_attention,
    write_conv,
    write_conv_transpose,
    write_dense,
    write_dropout,
    write_embedding,
    write_embedding_bag,
    write_group_norm,
    write_layer_norm,
    write_norm,
    write_pool,
    write_scale,
)

__all__ = ["make_flux_state", "save_flux_state"]


@explain_call_errors
def save_flux_state(
    path: str | PathLike[str], model: Layer, ps: Parameters, st: States, *, name: str = "model_state"
) -> None:
    """Write parameters and states to a JLD2 file, from which Julia loads them into the same model in Flux.

    In Julia, build a Flux model with the same layers, and load the file into it by
    ``Flux.loadmodel!(model, JLD2.load(path, "model_state"))``.

    The structure is that of `Flux.state` in Flux 0.16: the axes are in Julia's order, the names are Flux's, and
    settings such as stride and epsilon are included. A layer without parameters that Flux does not have is written as
    a function; a container of your own is written as a struct whose fields are its layers. Layers compute the same in
    Flux: a layer that does not flip its kernel is a `CrossCor` there, and where Flux has none (for groups, or
    transposed) the kernel is written flipped. The two biases of a recurrent cell are added, since Flux has only one.
    bfloat16 is written as Float32.

    The file is written completely or not at all, as by `luxport.save`. `load_parameters` reads it back.

    Args:
        path: the file to write; an existing one is replaced
        model: a layer
        ps: its parameters
        st: its states
        name: the name of the entry in the file

    Shapes: an array (dn, ..., d1) has the size (d1, ..., dn) in Julia
    Raises: TypeError if `model` is no layer, or for a dtype that Julia lacks; ValueError that names every entry that
            differs from the model, or the path of a layer that has no counterpart in Flux
    Source: Flux.jl ``state``, ``loadmodel!``; JLD2.jl for the format

    >>> import luxport, os, tempfile
    >>> model = luxport.Chain(luxport.Dense(2, 3, luxport.relu), luxport.Dense(3, 1))
    >>> path = os.path.join(tempfile.mkdtemp(), "model.jld2")
    >>> save_flux_state(path, model, *luxport.setup(0, model))
    >>> luxport.porting.load_parameters(path, model)[0]["layer_1"]["weight"].shape
    (2, 3)
    """
    check_path(path)
    check_file_suffix("save_flux_state", path, ".jld2", ", which is what JLD2.load in Julia reads")
    state = make_flux_state(model, ps, st)
    with open_atomic(path) as file:
        write(file, {name: state})


def make_flux_state(model: Layer, ps: Parameters, st: States) -> julia.Value:
    """Return the value of `luxport.porting.julia` that `save_flux_state` writes.

    Raises: as `save_flux_state`
    """
    check_layer("save_flux_state", model)
    return _write_layer(model, *check_fit("save_flux_state", model, ps, st), "")


def _write_layer(layer: Layer, ps: Any, st: Any, path: str) -> julia.Value:
    name = type(layer).__name__
    try:
        for kind in type(layer).__mro__:
            if kind.__name__ in _STATES and kind.__module__.startswith("luxport."):
                return _STATES[kind.__name__](layer, ps, st, path)
        if isinstance(layer, ContainerLayer) and not type(layer).__module__.startswith("luxport."):
            return _write_children(layer.children(), ps, st, path)
        if parameter_length(ps) == 0:
            return FUNCTION
        raise ValueError(_ADVICE.get(name, "Flux has no such layer"))
    except NoCounterpartError:
        raise
    except ValueError as error:
        raise NoCounterpartError(
            f"save_flux_state: {name} at {path or 'the top'} has no counterpart: {error}"
        ) from None


_ADVICE = {
    "RMSNorm": "Flux has no RMSNorm",
    "SpectralNorm": "remove it first, with luxport.remove_spectral_norm",
    "StatefulRecurrentCell": "Flux 0.16 has no layer that keeps its carry; save the state of its cell",
    "WeightNorm": "remove it first, with luxport.remove_weight_norm",
}


def _write_children(layers: Any, ps: Any, st: Any, path: str) -> julia.Value:
    """Return the states of layers: a tuple if they have the default names ``layer_1``, …, else a named tuple."""
    found = {
        name: _write_layer(layer, ps[name], st[name], f"{path}.{name}" if path else name)
        if isinstance(layer, Layer)
        else _write_children(layer, ps[name], st[name], f"{path}.{name}" if path else name)
        for name, layer in name_layers(layers).items()
    }
    if list(found) == [f"layer_{i}" for i in range(1, len(found) + 1)]:
        return tuple(found.values())
    return make_named_tuple(found)


def _write_levels(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    """Return the state of a recurrent layer, which for several levels is a Flux chain of layers."""
    if layer.bidirectional:
        raise ValueError("bidirectional=True")
    if layer.num_layers == 1:
        return _write_recurrence(layer.layers, ps, st, path)
    return make_named_tuple({"layers": _write_children(layer.layers, ps, st, path)})


def _write_recurrence(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    if layer.reverse:
        raise ValueError("reverse=True")
    return make_named_tuple({"cell": _write_layer(layer.cell, ps, st, path)})


def _write_chain(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return make_named_tuple({"layers": _write_children(layer.layers, ps, st, path)})


def _write_join(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    """Return the state of a `Parallel` or `BranchLayer`, both of which are Flux's Parallel."""
    joint = layer._joint
    if not isinstance(getattr(layer, joint), Layer):
        return make_named_tuple({"connection": FUNCTION, "layers": _write_children(layer.layers, ps, st, path)})
    connection = _write_layer(getattr(layer, joint), ps[joint], st[joint], f"{path}.{joint}" if path else joint)
    return make_named_tuple(
        {"connection": connection, "layers": _write_children(layer.layers, ps["layers"], st["layers"], path)}
    )


def _write_pairwise(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return make_named_tuple({"connection": FUNCTION, "layers": _write_children(layer.layers, ps, st, path)})


def _write_skip(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    if not isinstance(layer.connection, Layer):
        return make_named_tuple({"layers": _write_layer(layer.layers, ps, st, path), "connection": FUNCTION})
    children = {"layers": layer.layers, "connection": layer.connection}
    return _write_children(children, ps, st, path)


def _write_wrapped(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return _write_layer(layer.layer, ps, st, path)


_STATES: Mapping[str, Callable[..., julia.Value]] = {
    "AdaptiveMaxPool": write_adaptive,
    "AdaptiveMeanPool": write_adaptive,
    "AlphaDropout": write_alpha_dropout,
    "AlternatePrecision": _write_wrapped,
    "BatchNorm": write_norm,
    "Bilinear": write_dense,
    "BranchLayer": _write_join,
    "Chain": _write_chain,
    "Conv": write_conv,
    "ConvTranspose": write_conv_transpose,
    "DebugLayer": _write_wrapped,
    "Dense": write_dense,
    "Dropout": write_dropout,
    "Embedding": write_embedding,
    "EmbeddingBag": write_embedding_bag,
    "FrozenLayer": lambda layer, ps, st, path: _write_layer(*luxport.unfreeze(layer, ps, st), path),
    "GRU": _write_levels,
    "GRUCell": make_cell_writer("b", {}),
    "GRUv3": _write_levels,
    "GRUv3Cell": make_cell_writer("b", {}),
    "GroupNorm": write_group_norm,
    "InstanceNorm": write_norm,
    "LSTM": _write_levels,
    "LSTMCell": make_cell_writer("bias", {}),
    "LayerNorm": write_layer_norm,
    "MaxPool": write_pool,
    "Maxout": _write_chain,
    "MeanPool": write_pool,
    "MultiHeadAttention": write_attention,
    "PairwiseFusion": _write_pairwise,
    "Parallel": _write_join,
    "PixelShuffle": lambda layer, ps, st, path: make_named_tuple({"r": layer.factor}),
    "RNN": _write_levels,
    "RNNCell": make_cell_writer("bias", {"σ": FUNCTION}),
    "Recurrence": _write_recurrence,
    "Scale": write_scale,
    "SkipConnection": _write_skip,
    "Tied": lambda layer, ps, st, path: _write_layer(*luxport.untie(layer, ps, st), path),
}
"""Functions that return the state of a layer, by the name of its class, for the layers that Flux has as well."""
