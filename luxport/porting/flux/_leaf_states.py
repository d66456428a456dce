"""Return the state, as `Flux.state` has it, of each layer that contains no other layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

import luxport
from luxport.backend import backend_of
from luxport.porting import julia

__all__ = [
    "FUNCTION",
    "make_named_tuple",
    "write_adaptive",
    "write_alpha_dropout",
    "write_attention",
    "make_cell_writer",
    "write_conv",
    "write_conv_transpose",
    "write_dense",
    "write_dropout",
    "write_embedding",
    "write_embedding_bag",
    "write_group_norm",
    "write_layer_norm",
    "write_norm",
    "write_pool",
    "write_scale",
]


FUNCTION = ()
"""What `Flux.state` has for a function, and for any other value without numbers."""


def _move_to_host(leaf: Any) -> Any:
    host = np.asarray(backend_of(leaf).to_numpy(leaf))
    return host.astype(np.float32) if host.dtype.name == "bfloat16" else host


def make_named_tuple(entries: Mapping[str, Any]) -> julia.NamedTuple:
    return julia.NamedTuple(tuple(entries), tuple(entries.values()))


def _get_bias(ps: Any, name: str = "bias") -> Any:
    return _move_to_host(ps[name]) if name in ps else False


def write_dense(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return make_named_tuple({"weight": _move_to_host(ps["weight"]), "bias": _get_bias(ps), "σ": FUNCTION})


def write_scale(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return make_named_tuple({"scale": _move_to_host(ps["weight"]), "bias": _get_bias(ps), "σ": FUNCTION})


def _reverse_axes(sizes: Iterable[int]) -> tuple[int, ...]:
    return tuple(sizes)[::-1]


def _list_pads(windows: Any) -> tuple[int, ...]:
    return tuple([n for pair in windows.padding[::-1] for n in pair])


def _flip_kernel(weight: Any) -> Any:
    return np.flip(weight, tuple(range(2, weight.ndim)))


def write_conv(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    if layer.padding_mode != "zeros":
        raise ValueError(f"padding_mode={layer.padding_mode!r}")
    weight, windows = _move_to_host(ps["weight"]), layer._windows
    crossing = layer.cross_correlation and layer.groups == 1
    if layer.cross_correlation and not crossing:
        weight = _flip_kernel(weight)
    entries = {"σ": FUNCTION, "weight": weight, "bias": _get_bias(ps)}
    entries |= {
        "stride": _reverse_axes(windows.stride),
        "pad": _list_pads(windows),
        "dilation": _reverse_axes(windows.dilation),
    }
    return make_named_tuple(entries if crossing else entries | {"groups": layer.groups})


def write_conv_transpose(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    weight, windows = _move_to_host(ps["weight"]), layer._windows
    return make_named_tuple({
        "σ": FUNCTION,
        "weight": _flip_kernel(weight) if layer.cross_correlation else weight,
        "bias": _get_bias(ps),
        "stride": _reverse_axes(windows.stride),
        "pad": _list_pads(windows),
        "outpad": _reverse_axes(layer._output_padding),
        "dilation": _reverse_axes(windows.dilation),
        "groups": layer.groups,
    })  # fmt: skip


def write_pool(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    windows = layer._windows
    plain = set(windows.dilation) == {1} and getattr(layer, "count_include_pad", True)
    if not plain:
        return FUNCTION
    return make_named_tuple(
        {"k": _reverse_axes(windows.window), "pad": _list_pads(windows), "stride": _reverse_axes(windows.stride)}
    )


def write_adaptive(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return FUNCTION if layer.variable_windows else make_named_tuple({"out": _reverse_axes(layer._sizes)})


def write_norm(layer: Any, ps: Any, st: Any, path: str) -> julia.NamedTuple:
    tracks = getattr(layer, "track_stats", False)
    return make_named_tuple({
        "λ": FUNCTION,
        "β": _move_to_host(ps["bias"]) if layer.affine else None,
        "γ": _move_to_host(ps["scale"]) if layer.affine else None,
        "μ": _move_to_host(st["running_mean"]) if tracks else None,
        "σ²": _move_to_host(st["running_var"]) if tracks else None,
        "ϵ": np.float32(layer.epsilon),
        "momentum": np.float32(getattr(layer, "momentum", 0.1)),
        "affine": layer.affine,
        "track_stats": tracks,
        "active": None,
        "chs": layer.channels,
    })  # fmt: skip


def write_group_norm(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    norm = write_norm(layer, ps, st, path)
    return julia.NamedTuple(("G", *norm.names), (layer.groups, *norm.values))


def write_layer_norm(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    scale = (
        make_named_tuple({"scale": _move_to_host(ps["scale"]), "bias": _move_to_host(ps["bias"]), "σ": FUNCTION})
        if layer.affine
        else ()
    )
    return make_named_tuple({
        "λ": FUNCTION,
        "diag": scale,
        "ϵ": np.float32(math.sqrt(layer.epsilon)),  # Flux's formula has ϵ²
        "size": _reverse_axes(layer.shape),
        "affine": layer.affine,
    })  # fmt: skip


def write_dropout(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    axes = (layer.axes,) if isinstance(layer.axes, int) else layer.axes
    if axes is not None and any(axis >= 0 for axis in axes):
        raise ValueError(f"axes={layer.axes!r}, which Julia counts from the other end: give negative axes")
    dims = FUNCTION if axes is None else tuple([-axis for axis in axes][::-1])
    return make_named_tuple({"p": float(layer.p), "dims": dims, "active": None, "rng": FUNCTION})


def write_alpha_dropout(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return make_named_tuple({"p": float(layer.p), "active": None, "rng": FUNCTION})


def write_embedding(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    weight = _move_to_host(ps["weight"])
    if weight.ndim != 2:
        raise ValueError(f"in_dims={layer.in_dims}: the table of a Flux.Embedding has one axis of indices")
    return make_named_tuple(
        {"weight": weight, "padding_idx": None if layer.padding_idx is None else layer.padding_idx + 1}
    )


def write_embedding_bag(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    return make_named_tuple({"weight": _move_to_host(ps["weight"]), "reduction": FUNCTION})


def make_cell_writer(bias: str, first: Mapping[str, Any]) -> Callable[..., julia.Value]:
    def write(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
        trained = [name for name in ("hidden_state", "memory") if name in ps]
        if trained:
            raise ValueError(f"its {trained[0]} is trained, which no cell of Flux 0.16 has")
        entries = {
            **first,
            "Wi": _move_to_host(ps["weight_ih"]),
            "Wh": _move_to_host(ps["weight_hh"]),
            bias: _join_biases(layer, ps),
        }
        return make_named_tuple(entries | ({"Wh_h̃": _move_to_host(ps["weight_hn"])} if "weight_hn" in ps else {}))

    return write


def _join_biases(layer: Any, ps: Any) -> Any:
    """Return the sum of the biases of input and hidden state, which is the only bias of Flux's cells."""
    if "bias_hh" not in ps:
        return _get_bias(ps, "bias_ih")
    recurrent = _move_to_host(ps["bias_hh"])
    if isinstance(layer, luxport.GRUCell) and recurrent[2 * layer.out_dims :].any():
        raise ValueError(
            "its recurrent bias is multiplied by the reset gate, which Flux's GRU cannot do: use_recurrent_bias=False"
        )
    return _move_to_host(ps["bias_ih"]) + recurrent


def write_attention(layer: Any, ps: Any, st: Any, path: str) -> julia.Value:
    dropout = {"p": float(layer.attention_dropout_probability), "dims": FUNCTION, "active": None, "rng": FUNCTION}
    projected = {
        name: write_dense(layer, ps[name], st[name], path) for name in ("q_proj", "k_proj", "v_proj", "out_proj")
    }
    out = projected.pop("out_proj")
    return make_named_tuple(
        {"nheads": layer.nheads, **projected, "attn_drop": make_named_tuple(dropout), "out_proj": out}
    )
