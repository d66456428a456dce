"""`save_flux_state`: a model's parameters and states as `Flux.state` has them, in a JLD2 file for Julia."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any

import numpy as np

import luxport
from luxport.backend import backend_of
from luxport.call_arguments import says_what_it_takes
from luxport.core.anatomy import Parameters, States, by_name
from luxport.core.containers import ContainerLayer
from luxport.core.counts import parameter_length
from luxport.core.layer import Layer
from luxport.porting import julia
from luxport.porting.errors import NoCounterpartError
from luxport.porting.files.jld2.writer import write
from luxport.porting.files.replacing import replacing
from luxport.porting.files.saving import fitted
from luxport.text import safe_to_show, shown

__all__ = ["flux_state", "save_flux_state"]


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
    state = flux_state(model, ps, st)
    with replacing(path) as file:
        write(file, {name: state})


def flux_state(model: Layer, ps: Parameters, st: States) -> julia.Value:
    """Return what `save_flux_state` writes, as a value of `luxport.porting.julia`.

    Raises: as `save_flux_state`
    """
    if not isinstance(model, Layer):
        raise TypeError(f"save_flux_state expects a layer, got {type(model).__name__}")
    problems: list[str] = []
    ps, st = fitted(model, ps, st, problems)
    if problems:
        raise ValueError(
            f"save_flux_state expects the parameters and states of {shown(model)}: {safe_to_show('; '.join(problems))}"
        )
    return _state(model, ps, st, "")


_FUNCTION = ()
"""What `Flux.state` has for a function, and for whatever else holds no numbers."""


def _state(layer: Layer, ps: Any, st: Any, path: str) -> julia.Value:
    name = type(layer).__name__
    try:
        for kind in type(layer).__mro__:
            if kind.__name__ in _STATES and kind.__module__.startswith("luxport."):
                return _STATES[kind.__name__](layer, ps, st, path)
        if isinstance(layer, ContainerLayer) and not type(layer).__module__.startswith("luxport."):
            return _children(layer.children(), ps, st, path)
        if parameter_length(ps) == 0:
            return _FUNCTION
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


def _host(leaf: Any) -> Any:
    host = np.asarray(backend_of(leaf).to_numpy(leaf))
    return host.astype(np.float32) if host.dtype.name == "bfloat16" else host


def _name(entries: Mapping[str, Any]) -> julia.NamedTuple:
    return julia.NamedTuple(tuple(entries), tuple(entries.values()))


def _children(layers: Any, ps: Any, st: Any, path: str) -> julia.Value:
    """Return layers by name; those with the names that position gives are a tuple in Flux."""
    found = {
        name: _state(layer, ps[name], st[name], f"{path}.{name}" if path else name)
        if isinstance(layer, Layer)
        else _children(layer, ps[name], st[name], f"{path}.{name}" if path else name)
        for name, layer in by_name(layers).items()
    }
    if list(found) == [f"layer_{i}" for i in range(1, len(found) + 1)]:
        return tuple(found.values())
    return _name(found)


def _bias(ps: Any, name: str = "bias") -> Any:
    return _host(ps[name]) if name in ps else False


def _dense(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return _name({"weight": _host(ps["weight"]), "bias": _bias(ps), "σ": _FUNCTION})


def _scale(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return _name({"scale": _host(ps["weight"]), "bias": _bias(ps), "σ": _FUNCTION})


# Windows: Julia's first spatial axis is our last.


def _each(sizes: Iterable[int]) -> tuple[int, ...]:
    return tuple(sizes)[::-1]


def _pads(windows: Any) -> tuple[int, ...]:
    return tuple([n for pair in windows.padding[::-1] for n in pair])


def _flip(weight: Any) -> Any:
    return np.flip(weight, tuple(range(2, weight.ndim)))


def _conv(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    if layer.padding_mode != "zeros":
        raise ValueError(f"padding_mode={layer.padding_mode!r}")
    weight, windows = _host(ps["weight"]), layer._windows
    crossing = layer.cross_correlation and layer.groups == 1
    if layer.cross_correlation and not crossing:
        weight = _flip(weight)
    entries = {"σ": _FUNCTION, "weight": weight, "bias": _bias(ps)}
    entries |= {"stride": _each(windows.stride), "pad": _pads(windows), "dilation": _each(windows.dilation)}
    return _name(entries if crossing else entries | {"groups": layer.groups})


def _conv_transpose(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    weight, windows = _host(ps["weight"]), layer._windows
    return _name({
        "σ": _FUNCTION,
        "weight": _flip(weight) if layer.cross_correlation else weight,
        "bias": _bias(ps),
        "stride": _each(windows.stride),
        "pad": _pads(windows),
        "outpad": _each(layer._output_padding),
        "dilation": _each(windows.dilation),
        "groups": layer.groups,
    })  # fmt: skip


def _pool(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    windows = layer._windows
    plain = set(windows.dilation) == {1} and getattr(layer, "count_include_pad", True)
    if not plain:
        return _FUNCTION
    return _name({"k": _each(windows.window), "pad": _pads(windows), "stride": _each(windows.stride)})


def _adaptive(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return _FUNCTION if layer.variable_windows else _name({"out": _each(layer._sizes)})


# Norms.


def _norm(layer: Any, ps: Any, st: Any, path: str) -> julia.NamedTuple:
    tracks = getattr(layer, "track_stats", False)
    return _name({
        "λ": _FUNCTION,
        "β": _host(ps["bias"]) if layer.affine else None,
        "γ": _host(ps["scale"]) if layer.affine else None,
        "μ": _host(st["running_mean"]) if tracks else None,
        "σ²": _host(st["running_var"]) if tracks else None,
        "ϵ": np.float32(layer.epsilon),
        "momentum": np.float32(getattr(layer, "momentum", 0.1)),
        "affine": layer.affine,
        "track_stats": tracks,
        "active": None,
        "chs": layer.channels,
    })  # fmt: skip


def _group_norm(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    norm = _norm(layer, ps, st, path)
    return julia.NamedTuple(("G", *norm.names), (layer.groups, *norm.values))


def _layer_norm(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    scale = _name({"scale": _host(ps["scale"]), "bias": _host(ps["bias"]), "σ": _FUNCTION}) if layer.affine else ()
    return _name({
        "λ": _FUNCTION,
        "diag": scale,
        "ϵ": np.float32(math.sqrt(layer.epsilon)),  # Flux squares it
        "size": _each(layer.shape),
        "affine": layer.affine,
    })  # fmt: skip


def _dropout(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    axes = (layer.axes,) if isinstance(layer.axes, int) else layer.axes
    if axes is not None and any(axis >= 0 for axis in axes):
        raise ValueError(f"axes={layer.axes!r}, which Julia counts from the other end: give them below 0")
    dims = _FUNCTION if axes is None else tuple([-axis for axis in axes][::-1])
    return _name({"p": float(layer.p), "dims": dims, "active": None, "rng": _FUNCTION})


def _alpha_dropout(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return _name({"p": float(layer.p), "active": None, "rng": _FUNCTION})


# Tables, recurrence, attention.


def _embedding(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    weight = _host(ps["weight"])
    if weight.ndim != 2:
        raise ValueError(f"in_dims={layer.in_dims}: Flux's table has one axis of indices")
    return _name({"weight": weight, "padding_idx": None if layer.padding_idx is None else layer.padding_idx + 1})


def _embedding_bag(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return _name({"weight": _host(ps["weight"]), "reduction": _FUNCTION})


def _cell(bias: str, first: Mapping[str, Any]) -> Callable[..., julia.Value]:
    def state(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
        strange = [name for name in ("hidden_state", "memory") if name in ps]
        if strange:
            raise ValueError(f"a trained {strange[0]}")
        entries = {**first, "Wi": _host(ps["weight_ih"]), "Wh": _host(ps["weight_hh"]), bias: _one_bias(layer, ps)}
        return _name(entries | ({"Wh_h̃": _host(ps["weight_hn"])} if "weight_hn" in ps else {}))

    return state


def _one_bias(layer: Any, ps: Any) -> Any:
    """Return the one bias that Flux's cells have."""
    if "bias_hh" not in ps:
        return _bias(ps, "bias_ih")
    recurrent = _host(ps["bias_hh"])
    if isinstance(layer, luxport.GRUCell) and recurrent[2 * layer.out_dims :].any():
        raise ValueError("a recurrent bias that the reset gate acts on: use_recurrent_bias=False leaves it out")
    return _host(ps["bias_ih"]) + recurrent


def _levels(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    """Return the state of Flux's layer, or of a chain of these."""
    if layer.bidirectional:
        raise ValueError("bidirectional=True")
    if layer.num_layers == 1:
        return _recurrence(layer.layers, ps, st, path)
    return _name({"layers": _children(layer.layers, ps, st, path)})


def _recurrence(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    if layer.reverse:
        raise ValueError("reverse=True")
    return _name({"cell": _state(layer.cell, ps, st, path)})


def _attention(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    dropout = {"p": float(layer.attention_dropout_probability), "dims": _FUNCTION, "active": None, "rng": _FUNCTION}
    projected = {name: _dense(layer, ps[name], st[name], path) for name in ("q_proj", "k_proj", "v_proj", "out_proj")}
    out = projected.pop("out_proj")
    return _name({"nheads": layer.nheads, **projected, "attn_drop": _name(dropout), "out_proj": out})


# Containers.


def _chain(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return _name({"layers": _children(layer.layers, ps, st, path)})


def _write_join(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    """Return the state of `Parallel`, which is what `BranchLayer` is in Flux."""
    joint = layer._joint
    if not isinstance(getattr(layer, joint), Layer):
        return _name({"connection": _FUNCTION, "layers": _children(layer.layers, ps, st, path)})
    connection = _state(getattr(layer, joint), ps[joint], st[joint], f"{path}.{joint}" if path else joint)
    return _name({"connection": connection, "layers": _children(layer.layers, ps["layers"], st["layers"], path)})


def _pairwise(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return _name({"connection": _FUNCTION, "layers": _children(layer.layers, ps, st, path)})


def _skip(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    if not isinstance(layer.connection, Layer):
        return _name({"layers": _state(layer.layers, ps, st, path), "connection": _FUNCTION})
    children = {"layers": layer.layers, "connection": layer.connection}
    return _children(children, ps, st, path)


def _inside(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return _state(layer.layer, ps, st, path)


_STATES: Mapping[str, Callable[..., julia.Value]] = {
    "AdaptiveMaxPool": _adaptive,
    "AdaptiveMeanPool": _adaptive,
    "AlphaDropout": _alpha_dropout,
    "AlternatePrecision": _inside,
    "BatchNorm": _norm,
    "Bilinear": _dense,
    "BranchLayer": _write_join,
    "Chain": _chain,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DebugLayer": _inside,
    "Dense": _dense,
    "Dropout": _dropout,
    "Embedding": _embedding,
    "EmbeddingBag": _embedding_bag,
    "FrozenLayer": lambda layer, ps, st, path: _state(*luxport.unfreeze(layer, ps, st), path),
    "GRU": _levels,
    "GRUCell": _cell("b", {}),
    "GRUv3": _levels,
    "GRUv3Cell": _cell("b", {}),
    "GroupNorm": _group_norm,
    "InstanceNorm": _norm,
    "LSTM": _levels,
    "LSTMCell": _cell("bias", {}),
    "LayerNorm": _layer_norm,
    "MaxPool": _pool,
    "Maxout": _chain,
    "MeanPool": _pool,
    "MultiHeadAttention": _attention,
    "PairwiseFusion": _pairwise,
    "Parallel": _write_join,
    "PixelShuffle": lambda layer, ps, st, path: _name({"r": layer.factor}),
    "RNN": _levels,
    "RNNCell": _cell("bias", {"σ": _FUNCTION}),
    "Recurrence": _recurrence,
    "Scale": _scale,
    "SkipConnection": _skip,
    "Tied": lambda layer, ps, st, path: _state(*luxport.untie(layer, ps, st), path),
}
"""The state of each layer that Flux has as well, by the layer's name."""
