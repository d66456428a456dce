"""Build luxport layers from Flux's structs that contain no other layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport.core.initial_values import describe_values, initial_parameters
from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux.building import (
    Ported,
    Source,
    check_parameters,
    check_projection,
    make_arrayless,
    make_states,
    read_padding,
)
from luxport.porting.flux.fields import read_number, read_numbers

__all__ = [
    "build_adaptive",
    "build_attention",
    "build_bilinear",
    "build_conv",
    "build_conv_transpose",
    "build_dense",
    "build_depthwise",
    "build_dropout",
    "build_embedding",
    "build_embedding_bag",
    "build_pool",
    "build_scale",
    "build_upsample",
]


def build_dense(source: Source) -> Ported:
    weight, bias = source.read_array("weight", 2), source.read_bias()
    layer = luxport.Dense(weight.shape[0], weight.shape[1], source.read_activation(), use_bias=bool(bias))
    return check_parameters(layer, {"weight": weight, **bias})


def build_scale(source: Source) -> Ported:
    weight, bias = source.read_array("scale"), source.read_bias()
    layer = luxport.Scale(*weight.shape, activation=source.read_activation(), use_bias=bool(bias))
    return check_parameters(layer, {"weight": weight, **bias})


def build_bilinear(source: Source) -> Ported:
    weight, bias = source.read_array("weight", 3), source.read_bias()
    in2, in1, out = weight.shape
    return check_parameters(
        luxport.Bilinear((in1, in2), out, source.read_activation(), use_bias=bool(bias)), {"weight": weight, **bias}
    )


def _read_windows(source: Source, axes: int) -> dict[str, Any]:
    """Return the options stride and padding; Flux has one number or a pair of numbers for each axis as the pad."""
    padding = read_padding(read_numbers(source["pad"], source.join_path("pad")), axes)
    return {"stride": source.read_sizes("stride", axes), "padding": padding}


def _read_convolution(source: Source, axes: int) -> dict[str, Any]:
    return _read_windows(source, axes) | {"dilation": source.read_sizes("dilation", axes, 1)}


def build_conv(source: Source) -> Ported:
    weight, bias = source.read_array("weight", least=3), source.read_bias()
    kernel = weight.shape[2:]
    groups = int(source.fields.get("groups", 1))
    layer = luxport.Conv(
        *(kernel, weight.shape[1] * groups, weight.shape[0], source.read_activation()),
        **_read_convolution(source, len(kernel)),
        groups=groups,
        use_bias=bool(bias),
        cross_correlation=source.kind == "CrossCor",
    )
    return check_parameters(layer, {"weight": weight, **bias})


def build_depthwise(source: Source) -> Ported:
    weight, bias = source.read_array("weight", least=3), source.read_bias()  # (channels, multiplier, *kernel)
    channels, multiplier, *kernel = weight.shape
    layer = luxport.Conv(
        *(tuple(kernel), channels, channels * multiplier, source.read_activation()),
        **_read_convolution(source, len(kernel)),
        groups=channels,
        use_bias=bool(bias),
    )
    return check_parameters(layer, {"weight": weight.reshape(channels * multiplier, 1, *kernel), **bias})


def build_conv_transpose(source: Source) -> Ported:
    weight, bias = source.read_array("weight", least=3), source.read_bias()
    kernel = weight.shape[2:]
    groups = int(source.fields.get("groups", 1))
    layer = luxport.ConvTranspose(
        *(kernel, weight.shape[0], weight.shape[1] * groups, source.read_activation()),
        **_read_convolution(source, len(kernel)),
        output_padding=source.read_sizes("outpad", len(kernel), 0),
        groups=groups,
        use_bias=bool(bias),
    )
    return check_parameters(layer, {"weight": weight, **bias})


def build_pool(layer: str) -> Callable[[Source], Ported]:
    def build(source: Source) -> Ported:
        window = read_numbers(source["k"], source.join_path("k"))
        return make_arrayless(getattr(luxport, layer)(window, **_read_windows(source, len(window))))

    return build


def build_adaptive(layer: str) -> Callable[[Source], Ported]:
    return lambda source: make_arrayless(getattr(luxport, layer)(read_numbers(source["out"], source.join_path("out"))))


def build_dropout(source: Source) -> Ported:
    dims = source.fields.get("dims")
    if isinstance(dims, bool):  # until Flux 0.8, the second field is whether the layer is active
        dims = None
    p = read_number(source["p"], source.join_path("p"))
    if dims is None or not isinstance(dims, (int, tuple, list, np.integer)):  # a Colon: entries drop independently
        return make_arrayless(luxport.Dropout(p))
    axes = tuple(sorted(-n for n in (read_numbers(dims, source.join_path("dims")))))
    return make_arrayless(luxport.Dropout(p, axes=axes))


def build_embedding(source: Source) -> Ported:
    weight, padding = source.read_array("weight", 2), source.fields.get("padding_idx")
    layer = luxport.Embedding(
        weight.shape[0], weight.shape[1], padding_idx=None if padding is None else int(padding) - 1
    )
    return check_parameters(layer, {"weight": weight})


def build_embedding_bag(source: Source) -> Ported:
    weight, reduction = source.read_array("weight", 2), source["reduction"]
    name = reduction.name if isinstance(reduction, julia.Function) else str(reduction)
    layer = luxport.EmbeddingBag(weight.shape[0], weight.shape[1], {"maximum": "max"}.get(name, name))
    return check_parameters(layer, {"weight": weight})


def build_attention(source: Source) -> Ported:
    names = ("q_proj", "k_proj", "v_proj", "out_proj")
    parts = {name: source.port(source[name], name) for name in names}
    for name, part in parts.items():
        check_projection(part.layer, source.join_path(name))
    dropout = source.port(source["attn_drop"], "attn_drop")
    if not isinstance(dropout.layer, luxport.Dropout):
        raise FileFormatError(f"{source.join_path('attn_drop')}: expected a Dropout, got {dropout.layer}")
    q, k, v, out = (parts[name].ps["weight"].shape for name in names)
    layer = luxport.MultiHeadAttention(
        *((q[0], k[0], v[0]), (q[1], v[1]), out[1]),
        nheads=int(read_number(source["nheads"], source.join_path("nheads"))),
        attention_dropout_probability=dropout.layer.p,
        use_bias="bias" in parts["q_proj"].ps,
    )
    whole = Ported(layer, describe_values(initial_parameters, layer), make_states(layer, 0))
    ps = {name: parts[name].ps if name in parts else entry for name, entry in whole.ps.items()}
    for name in names:
        if set(ps[name]) != set(whole.ps[name]):
            raise FileFormatError(f"{source.join_path(name)}: either all projections must have a bias, or none")
    return Ported(layer, ps, whole.st)


def build_upsample(source: Source) -> Ported:
    mode = next(iter(source.struct.type.params), None)
    name = mode.name if isinstance(mode, julia.Symbol) else str(mode)
    scale, size = source.fields.get("scale"), source.fields.get("size")
    if size is not None:
        return make_arrayless(luxport.Upsample(mode=name, size=read_numbers(size, source.join_path("size"))))  # type: ignore[arg-type]
    factors = (
        tuple([read_number(n, source.join_path("scale")) for n in scale])[::-1] if isinstance(scale, tuple) else scale
    )
    return make_arrayless(luxport.Upsample(factors, name))  # type: ignore[arg-type]
