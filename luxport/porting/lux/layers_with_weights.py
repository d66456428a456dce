"""Build Lux's layers with weights: dense, convolutions, norms, embeddings, attention."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport.porting import julia
from luxport.porting.errors import FileFormatError, show
from luxport.porting.flux.building import Ported, check_projection, read_padding
from luxport.porting.julia.nodes import is_array, read_entries, unwrap_node
from luxport.porting.lux.building import Source
from luxport.porting.lux.structs import read_ints
from luxport.porting.lux.whole_layer_norm import WholeLayerNorm
from luxport.text import warn

__all__ = [
    "build_attention",
    "build_bilinear",
    "build_conv",
    "build_dense",
    "build_embedding",
    "build_group_norm",
    "build_layer_norm",
    "build_rms_norm",
    "build_scale",
    "build_tracking_norm",
    "read_windows",
]


def build_dense(source: Source) -> Ported:
    """Build a Dense layer."""
    sizes = source.read_int("in_dims"), source.read_int("out_dims")
    return source.finish(luxport.Dense(*sizes, source.read_activation(), use_bias=source.read_flag("use_bias", True)))


def build_scale(source: Source) -> Ported:
    """Build a Scale layer."""
    layer = luxport.Scale(
        source.read_sizes("dims"), activation=source.read_activation(), use_bias=source.read_flag("use_bias", True)
    )
    return source.finish(layer)


def build_bilinear(source: Source) -> Ported:
    """Build a Bilinear layer."""
    sizes = (source.read_int("in1_dims"), source.read_int("in2_dims")), source.read_int("out_dims")
    return source.finish(
        luxport.Bilinear(*sizes, source.read_activation(), use_bias=source.read_flag("use_bias", True))
    )


def build_embedding(source: Source) -> Ported:
    """Build an Embedding; several input sizes come in reverse order, as all sizes do."""
    sizes = source.read_sizes("in_dims")
    return source.finish(luxport.Embedding(sizes[0] if len(sizes) == 1 else sizes, source.read_int("out_dims")))


def read_windows(source: Source, axes: int) -> dict[str, Any]:
    """Return stride, padding and dilation; the padding is one number for each axis, or a pair."""
    padding = read_padding(source.read_sizes("pad"), axes)
    dilation = {"dilation": source.read_sizes("dilation")} if "dilation" in source.fields else {}
    return {"stride": source.read_sizes("stride"), "padding": padding, **dilation}


def build_conv(source: Source) -> Ported:
    """Build a Conv, a ConvTranspose, or a CrossCor, which becomes a Conv with ``cross_correlation=True``."""
    kernel = source.read_sizes("kernel_size")
    options: dict[str, Any] = read_windows(source, len(kernel))
    options["groups"] = source.read_int("groups") if "groups" in source.fields else 1
    options["use_bias"] = source.read_flag("use_bias", True)
    options["cross_correlation"] = source.kind == "CrossCor" or source.read_flag("cross_correlation", False)
    build = luxport.ConvTranspose if source.kind == "ConvTranspose" else luxport.Conv
    if "outpad" in source.fields:
        options["output_padding"] = source.read_sizes("outpad")
    channels = source.read_int("in_chs"), source.read_int("out_chs")
    return source.finish(build(kernel, *channels, source.read_activation(), **options))


def build_tracking_norm(source: Source) -> Ported:
    """Build a BatchNorm or an InstanceNorm."""
    tracks = source.read_flag("track_stats", source.kind == "BatchNorm")
    options = {
        "affine": source.read_flag("affine", source.kind == "BatchNorm"),
        "epsilon": source.read_number("epsilon"),
    }
    if "momentum" in source.fields:
        options["momentum"] = source.read_number("momentum")
    return source.finish(
        getattr(luxport, source.kind)(source.read_int("chs"), source.read_activation(), track_stats=tracks, **options)
    )


def build_group_norm(source: Source) -> Ported:
    """Build a GroupNorm; one with running statistics, as in Lux 0.4, becomes a BatchNorm, which is equal in testing."""
    channels, groups = source.read_int("chs"), source.read_int("groups")
    options: dict[str, Any] = {"affine": source.read_flag("affine", True), "epsilon": source.read_number("epsilon")}
    if not source.read_flag("track_stats", False):
        return source.finish(luxport.GroupNorm(channels, groups, source.read_activation(), **options))
    warn(
        f"{show(source.path) or 'the model'}: a GroupNorm with running statistics, as Lux 0.4 had it, becomes "
        "a BatchNorm: equal in testing, but not in training"
    )
    given = read_entries(unwrap_node(source.st))
    states = {
        name: np.repeat(np.reshape(unwrap_node(given[name]), (groups,)), channels // groups)
        for name in ("running_mean", "running_var")
        if is_array(unwrap_node(given.get(name))) and np.size(unwrap_node(given[name])) == groups
    }
    layer = luxport.BatchNorm(channels, source.read_activation(), momentum=source.read_number("momentum"), **options)
    return source.finish(layer, st=states)


def build_layer_norm(source: Source) -> Ported:
    """Build a LayerNorm, or a `WholeLayerNorm` if it has no dims and so one mean over the whole batch."""
    shape, dims = source.read_sizes("shape"), source.fields.get("dims")
    options: dict[str, Any] = {"epsilon": source.read_number("epsilon"), "affine": source.read_flag("affine", True)}
    if dims is None or julia.name_type(dims).endswith("Colon"):
        return source.finish(WholeLayerNorm(shape, source.read_activation(), **options))
    axes = sorted(read_ints(dims, source.join_path("dims")))
    if axes != list(range(1, len(shape) + 1)):
        what = source.join_path("dims")
        raise FileFormatError(f"{what}: the axes of the shape, 1 to {len(shape)}, expected, got {axes}")
    return source.finish(luxport.LayerNorm(shape, source.read_activation(), **options))


def build_rms_norm(source: Source) -> Ported:
    """Build an RMSNorm."""
    options: dict[str, Any] = {"epsilon": source.read_number("epsilon"), "affine": source.read_flag("affine", True)}
    return source.finish(luxport.RMSNorm(source.read_sizes("normalized_shape"), **options))


def build_attention(source: Source) -> Ported:
    """Build a MultiHeadAttention from its four Dense layers."""
    names = ("q_proj", "k_proj", "v_proj", "out_proj")
    parts: dict[str, Any] = {
        name: source.build(source[name], source.join_path(name), *source.find_beside(name)) for name in names
    }
    for name, part in parts.items():
        check_projection(part.layer, source.join_path(name))
    q, k, v, out = (parts[name].layer for name in names)
    dropout = source.fields.get("attention_dropout")
    chance = source.build(dropout, source.join_path("attention_dropout"), (), ()).layer if dropout is not None else None
    layer = luxport.MultiHeadAttention(
        *((q.in_dims, k.in_dims, v.in_dims), (q.out_dims, v.out_dims), out.out_dims),
        nheads=source.read_int("nheads"),
        attention_dropout_probability=chance.p if isinstance(chance, luxport.Dropout) else 0.0,
        is_causal=source.read_flag("is_causal", False),
        use_bias=q.use_bias,
    )
    return source.finish(layer)
