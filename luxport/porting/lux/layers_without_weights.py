"""Build Lux's layers without weights: pooling, dropout, changes of shape, functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import luxport
from luxport.porting import julia
from luxport.porting.flux.building import Ported
from luxport.porting.flux.fields import read_number
from luxport.porting.lux.building import Source, build_hole
from luxport.porting.lux.layers_with_weights import read_windows
from luxport.porting.lux.structs import read_ints, read_static, read_text

__all__ = [
    "build_dropout",
    "build_flatten",
    "build_pool",
    "build_reverse_sequence",
    "build_select_dim",
    "build_upsample",
    "build_wrapped_function",
]


def build_pool(source: Source) -> Ported:
    """Build a pooling layer; its sizes are fields of the struct or, since Lux 1.0, of a mode inside."""
    inner = source.fields.get("layer")
    fields = dict(source.fields)
    if isinstance(inner, julia.Struct):  # since Lux 1.0: a mode with the sizes, and an operation
        parts = dict(zip(inner.names or ("mode", "op"), inner.fields, strict=True))
        mode, op = parts.get("mode"), parts.get("op")
        if isinstance(mode, julia.Struct):
            names = mode.names or ("kernel_size", "stride", "pad", "dilation")[: len(mode.fields)]
            fields |= dict(zip(names, mode.fields, strict=False))
        if isinstance(op, julia.Struct) and op.fields:
            fields["p"] = op.fields[0]
    if "Adaptive" in source.kind:
        fields["out"] = fields.get("out", fields.get("out_size", fields.get("kernel_size", ())))
    fields["k"] = fields.get("k", fields.get("kernel_size", ()))
    source = replace(source, fields=fields)
    build: Any = getattr(luxport, source.kind)
    power = {"p": read_number(fields["p"], source.join_path("p"))} if "p" in fields else {}
    if source.kind.startswith("Global"):
        return source.finish(build(**power))
    if source.kind.startswith("Adaptive"):
        return source.finish(build(source.read_sizes("out"), **power))
    window = source.read_sizes("k")
    return source.finish(build(window, **read_windows(source, len(window)), **power))


def build_dropout(source: Source) -> Ported:
    """Build a Dropout, AlphaDropout or VariationalHiddenDropout."""
    p, dims = source.read_number("p"), source.fields.get("dims")
    if source.kind == "AlphaDropout":
        return source.finish(luxport.AlphaDropout(p))
    build: Any = getattr(luxport, source.kind)
    if dims is None or julia.name_type(dims).endswith("Colon"):
        return source.finish(build(p))
    return source.finish(build(p, axes=tuple(sorted(-n for n in read_ints(dims, source.join_path("dims"))))))


def build_upsample(source: Source) -> Ported:
    """Build an Upsample; until Lux 0.5 its mode is a parameter of the type."""
    names = [read_text(param) for param in (source.fields.get("upsample_mode"), *source.struct.type.params)]
    mode: Any = next((name for name in names if name), "nearest")
    if source.fields.get("size") is not None:
        return source.finish(luxport.Upsample(mode=mode, size=source.read_sizes("size")))
    scale = source["scale"]
    factors = [
        read_number(read_static(n), source.join_path("scale"))
        for n in (scale if isinstance(scale, tuple) else (scale,))
    ][::-1]
    return source.finish(luxport.Upsample(factors[0] if len(factors) == 1 else tuple(factors), mode))


def build_flatten(source: Source) -> Ported:
    """Build a FlattenLayer."""
    axes = source.fields.get("N", next(iter(source.struct.type.params), None))
    axes = read_static(axes)
    return source.finish(luxport.FlattenLayer(N=axes) if isinstance(axes, int) else luxport.FlattenLayer())


def build_reverse_sequence(source: Source) -> Ported:
    """Build a ReverseSequence."""
    dim = read_static(source.fields.get("dim", next(iter(source.struct.type.params), None)))
    return source.finish(luxport.ReverseSequence(-dim if isinstance(dim, int) else None))


def build_select_dim(source: Source) -> Ported:
    """Build a SelectDim; Julia's axes are counted from the other end, and its indices from 1."""
    params = [read_static(param) for param in source.struct.type.params]
    dim, index = source.fields.get("dim", params[:1]), source.fields.get("index", source.fields.get("i", params[1:2]))
    (axis,), (place,) = read_ints(dim, source.join_path("dim")), read_ints(index, source.join_path("index"))
    return source.finish(luxport.SelectDim(-axis, place - 1))


def build_wrapped_function(source: Source) -> Ported:
    """Build a layer that calls a function."""
    value = source.fields.get("func")
    match value:  # Lux's PixelShuffle is a function of two arguments with the second fixed
        case julia.Struct(type=julia.TypeName(params=(julia.TypeName(name="#pixel_shuffle"), *_)), fields=[*_, int(r)]):
            return source.finish(luxport.PixelShuffle(r))
    return build_hole(source, value)
