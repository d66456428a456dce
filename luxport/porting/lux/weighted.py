"""Lux's layers with weights: dense, convolutions, norms, tables, attention."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport.porting import julia
from luxport.porting.errors import FileFormatError, show
from luxport.porting.flux.building import Ported, expect_projection, read_padding
from luxport.porting.julia.nodes import is_array, read_entries, unwrap_node
from luxport.porting.lux.building import Source
from luxport.porting.lux.structs import read_ints
from luxport.porting.lux.whole_layer_norm import WholeLayerNorm
from luxport.text import warn

__all__ = [
    "attention",
    "bilinear",
    "conv",
    "dense",
    "embedding",
    "group_norm",
    "layer_norm",
    "rms_norm",
    "scale",
    "tracking_norm",
    "windows",
]


def dense(source: Source) -> Ported:
    """Build a Dense."""
    sizes = source.int("in_dims"), source.int("out_dims")
    return source.finished(luxport.Dense(*sizes, source.activation(), use_bias=source.flag("use_bias", True)))


def scale(source: Source) -> Ported:
    """Build a Scale."""
    layer = luxport.Scale(source.sizes("dims"), activation=source.activation(), use_bias=source.flag("use_bias", True))
    return source.finished(layer)


def bilinear(source: Source) -> Ported:
    """Build a Bilinear."""
    sizes = (source.int("in1_dims"), source.int("in2_dims")), source.int("out_dims")
    return source.finished(luxport.Bilinear(*sizes, source.activation(), use_bias=source.flag("use_bias", True)))


def embedding(source: Source) -> Ported:
    """Build a table, whose axes of rows come in the order of memory: the last of Julia's first."""
    sizes = source.sizes("in_dims")
    return source.finished(luxport.Embedding(sizes[0] if len(sizes) == 1 else sizes, source.int("out_dims")))


def windows(source: Source, axes: int) -> dict[str, Any]:
    """Stride, padding and dilation; a pad is one number an axis, or a pair."""
    padding = read_padding(source.sizes("pad"), axes)
    dilation = {"dilation": source.sizes("dilation")} if "dilation" in source.fields else {}
    return {"stride": source.sizes("stride"), "padding": padding, **dilation}


def conv(source: Source) -> Ported:
    """Build a Conv, ConvTranspose or CrossCor, which is a Conv that does not flip its kernels."""
    kernel = source.sizes("kernel_size")
    options: dict[str, Any] = windows(source, len(kernel))
    options["groups"] = source.int("groups") if "groups" in source.fields else 1
    options["use_bias"] = source.flag("use_bias", True)
    options["cross_correlation"] = source.kind == "CrossCor" or source.flag("cross_correlation", False)
    build = luxport.ConvTranspose if source.kind == "ConvTranspose" else luxport.Conv
    if "outpad" in source.fields:
        options["output_padding"] = source.sizes("outpad")
    channels = source.int("in_chs"), source.int("out_chs")
    return source.finished(build(kernel, *channels, source.activation(), **options))


def tracking_norm(source: Source) -> Ported:
    """Build a BatchNorm or an InstanceNorm."""
    tracks = source.flag("track_stats", source.kind == "BatchNorm")
    options = {"affine": source.flag("affine", source.kind == "BatchNorm"), "epsilon": source.number("epsilon")}
    if "momentum" in source.fields:
        options["momentum"] = source.number("momentum")
    return source.finished(
        getattr(luxport, source.kind)(source.int("chs"), source.activation(), track_stats=tracks, **options)
    )


def group_norm(source: Source) -> Ported:
    """Build a GroupNorm; with moving statistics of a group it is in tests a BatchNorm of its channels."""
    channels, groups = source.int("chs"), source.int("groups")
    options: dict[str, Any] = {"affine": source.flag("affine", True), "epsilon": source.number("epsilon")}
    if not source.flag("track_stats", False):
        return source.finished(luxport.GroupNorm(channels, groups, source.activation(), **options))
    warn(
        f"{show(source.path) or 'the model'}: a GroupNorm with moving statistics, as Lux had it in 0.4, is a "
        "BatchNorm here: the same in tests, another thing in training"
    )
    given = read_entries(unwrap_node(source.st))
    states = {
        name: np.repeat(np.reshape(unwrap_node(given[name]), (groups,)), channels // groups)
        for name in ("running_mean", "running_var")
        if is_array(unwrap_node(given.get(name))) and np.size(unwrap_node(given[name])) == groups
    }
    layer = luxport.BatchNorm(channels, source.activation(), momentum=source.number("momentum"), **options)
    return source.finished(layer, st=states)


def layer_norm(source: Source) -> Ported:
    """Build a LayerNorm: of each sample by itself where dims are those of the shape, else of all."""
    shape, dims = source.sizes("shape"), source.fields.get("dims")
    options: dict[str, Any] = {"epsilon": source.number("epsilon"), "affine": source.flag("affine", True)}
    if dims is None or julia.name_type(dims).endswith("Colon"):
        return source.finished(WholeLayerNorm(shape, source.activation(), **options))
    axes = sorted(read_ints(dims, source.at("dims")))
    if axes != list(range(1, len(shape) + 1)):
        raise FileFormatError(f"{source.at('dims')}: the axes of the shape, 1 to {len(shape)}, expected, got {axes}")
    return source.finished(luxport.LayerNorm(shape, source.activation(), **options))


def rms_norm(source: Source) -> Ported:
    """Build an RMSNorm."""
    options: dict[str, Any] = {"epsilon": source.number("epsilon"), "affine": source.flag("affine", True)}
    return source.finished(luxport.RMSNorm(source.sizes("normalized_shape"), **options))


def attention(source: Source) -> Ported:
    """Build a MultiHeadAttention from its four Dense."""
    names = ("q_proj", "k_proj", "v_proj", "out_proj")
    parts: dict[str, Any] = {name: source.build(source[name], source.at(name), *source.beside(name)) for name in names}
    for name, part in parts.items():
        expect_projection(part.layer, source.at(name))
    q, k, v, out = (parts[name].layer for name in names)
    dropout = source.fields.get("attention_dropout")
    chance = source.build(dropout, source.at("attention_dropout"), (), ()).layer if dropout is not None else None
    layer = luxport.MultiHeadAttention(
        *((q.in_dims, k.in_dims, v.in_dims), (q.out_dims, v.out_dims), out.out_dims),
        nheads=source.int("nheads"),
        attention_dropout_probability=chance.p if isinstance(chance, luxport.Dropout) else 0.0,
        is_causal=source.flag("is_causal", False),
        use_bias=q.use_bias,
    )
    return source.finished(layer)
