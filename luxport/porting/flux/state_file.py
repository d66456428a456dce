"""`save_flux_state`: a model's parameters and states as `Flux.state` has them, in a JLD2 file for Julia."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import luxport
from luxport.call_arguments import says_what_it_takes
from luxport.core.anatomy import Parameters, States, name_layers
from luxport.core.containers import ContainerLayer
from luxport.core.counts import parameter_length
from luxport.core.layer import Layer, check_layer
from luxport.porting import julia
from luxport.porting.errors import NoCounterpartError
from luxport.porting.files.atomic_files import open_atomic
from luxport.porting.files.file_names import check_file_suffix
from luxport.porting.files.jld2.writer import write
from luxport.porting.files.opening import check_path
from luxport.porting.files.saving import check_fit
from luxport.porting.flux._leaf_states import (
    FUNCTION,
    name_entries,
    write_adaptive,
    write_alpha_dropout,
    write_attention,
    write_cell,
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


@says_what_it_takes
def save_flux_state(
    path: str | PathLike[str], model: Layer, ps: Parameters, st: States, *, name: str = "model_state"
) -> None:
    """Write a JLD2 file from which Julia loads the parameters and states of the same model in Flux.

    There, with a model built of the layers of these names, ``Flux.loadmodel!(model, JLD2.load(path, "model_state"))``
    puts them in. The structure is that of `Flux.state` in Flux 0.16: axes are Julia's, names are Flux's, and settings
    that are no arrays (stride, epsilon) go along. A layer that Flux does not have is written as a function, if it has
    no parameters; a container of your own is written as a struct whose fields are its layers. Kernels keep their
    meaning: `CrossCor` is Flux's, and where Flux only convolves (in groups, or transposed) a kernel that is not flipped
    here is written flipped. A bias of a recurrent cell's hidden state is added to that of its input; bfloat16 is
    written as Float32.

    The file is there whole or not at all, as with `luxport.save`. `load_parameters` reads it back.

    Args:
        path: the file, which is written anew
        model: a layer
        ps: its parameters
        st: its states
        name: the name of the entry, by which Julia asks for it

    Shapes: an array (dn, ..., d1) here is of size (d1, ..., dn) in Julia
    Raises: TypeError if this is no layer, or for a dtype that Julia has not; ValueError that names every entry that
            is not the model's, or, by its path, the layer that has no counterpart in Flux
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
    """Return what `save_flux_state` writes, as a value of `luxport.porting.julia`.

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
    "RMSNorm": "Flux has none",
    "SpectralNorm": "take it off first, with luxport.remove_spectral_norm",
    "StatefulRecurrentCell": "Flux 0.16 has no layer that remembers; save its cell's",
    "WeightNorm": "take it off first, with luxport.remove_weight_norm",
}


def _write_children(layers: Any, ps: Any, st: Any, path: str) -> julia.Value:
    """Return layers by name; those with the names that position gives are a tuple in Flux."""
    found = {
        name: _write_layer(layer, ps[name], st[name], f"{path}.{name}" if path else name)
        if isinstance(layer, Layer)
        else _write_children(layer, ps[name], st[name], f"{path}.{name}" if path else name)
        for name, layer in name_layers(layers).items()
    }
    if list(found) == [f"layer_{i}" for i in range(1, len(found) + 1)]:
        return tuple(found.values())
    return name_entries(found)


def _write_levels(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    """Return the state of Flux's layer, or of a chain of these."""
    if layer.bidirectional:
        raise ValueError("bidirectional=True")
    if layer.num_layers == 1:
        return _write_recurrence(layer.layers, ps, st, path)
    return name_entries({"layers": _write_children(layer.layers, ps, st, path)})


def _write_recurrence(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    if layer.reverse:
        raise ValueError("reverse=True")
    return name_entries({"cell": _write_layer(layer.cell, ps, st, path)})


def _write_chain(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return name_entries({"layers": _write_children(layer.layers, ps, st, path)})


def _write_join(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    """Return the state of `Parallel`, which is what `BranchLayer` is in Flux."""
    joint = layer._joint
    if not isinstance(getattr(layer, joint), Layer):
        return name_entries({"connection": FUNCTION, "layers": _write_children(layer.layers, ps, st, path)})
    connection = _write_layer(getattr(layer, joint), ps[joint], st[joint], f"{path}.{joint}" if path else joint)
    return name_entries(
        {"connection": connection, "layers": _write_children(layer.layers, ps["layers"], st["layers"], path)}
    )


def _write_pairwise(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return name_entries({"connection": FUNCTION, "layers": _write_children(layer.layers, ps, st, path)})


def _write_skip(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    if not isinstance(layer.connection, Layer):
        return name_entries({"layers": _write_layer(layer.layers, ps, st, path), "connection": FUNCTION})
    children = {"layers": layer.layers, "connection": layer.connection}
    return _write_children(children, ps, st, path)


def _write_inside(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return _write_layer(layer.layer, ps, st, path)


_STATES: Mapping[str, Callable[..., julia.Value]] = {
    "AdaptiveMaxPool": write_adaptive,
    "AdaptiveMeanPool": write_adaptive,
    "AlphaDropout": write_alpha_dropout,
    "AlternatePrecision": _write_inside,
    "BatchNorm": write_norm,
    "Bilinear": write_dense,
    "BranchLayer": _write_join,
    "Chain": _write_chain,
    "Conv": write_conv,
    "ConvTranspose": write_conv_transpose,
    "DebugLayer": _write_inside,
    "Dense": write_dense,
    "Dropout": write_dropout,
    "Embedding": write_embedding,
    "EmbeddingBag": write_embedding_bag,
    "FrozenLayer": lambda layer, ps, st, path: _write_layer(*luxport.unfreeze(layer, ps, st), path),
    "GRU": _write_levels,
    "GRUCell": write_cell("b", {}),
    "GRUv3": _write_levels,
    "GRUv3Cell": write_cell("b", {}),
    "GroupNorm": write_group_norm,
    "InstanceNorm": write_norm,
    "LSTM": _write_levels,
    "LSTMCell": write_cell("bias", {}),
    "LayerNorm": write_layer_norm,
    "MaxPool": write_pool,
    "Maxout": _write_chain,
    "MeanPool": write_pool,
    "MultiHeadAttention": write_attention,
    "PairwiseFusion": _write_pairwise,
    "Parallel": _write_join,
    "PixelShuffle": lambda layer, ps, st, path: name_entries({"r": layer.factor}),
    "RNN": _write_levels,
    "RNNCell": write_cell("bias", {"σ": FUNCTION}),
    "Recurrence": _write_recurrence,
    "Scale": write_scale,
    "SkipConnection": _write_skip,
    "Tied": lambda layer, ps, st, path: _write_layer(*luxport.untie(layer, ps, st), path),
}
"""The state of each layer that Flux has as well, by the layer's name."""
