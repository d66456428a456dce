"""Lux's layers without weights: pools, dropout, changes of shape, functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import luxport
from luxport.porting import julia
from luxport.porting.flux.building import Ported
from luxport.porting.flux.fields import read_number
from luxport.porting.lux.building import Source, build_hole
from luxport.porting.lux.structs import read_ints, read_static, read_text
from luxport.porting.lux.weighted import windows

__all__ = ["dropout", "flatten", "pool", "reverse", "select", "upsample", "wrapped"]


def pool(source: Source) -> Ported:
    """Build any pool: its numbers are fields, since 1.0 those of a mode inside."""
    inner = source.fields.get("layer")
    fields = dict(source.fields)
    if isinstance(inner, julia.Struct):  # since 1.0: a mode with its numbers, and an operation
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
    power = {"p": read_number(fields["p"], source.at("p"))} if "p" in fields else {}
    if source.kind.startswith("Global"):
        return source.finished(build(**power))
    if source.kind.startswith("Adaptive"):
        return source.finished(build(source.sizes("out"), **power))
    window = source.sizes("k")
    return source.finished(build(window, **windows(source, len(window)), **power))


def dropout(source: Source) -> Ported:
    """Build any dropout."""
    p, dims = source.number("p"), source.fields.get("dims")
    if source.kind == "AlphaDropout":
        return source.finished(luxport.AlphaDropout(p))
    build: Any = getattr(luxport, source.kind)
    if dims is None or julia.name_type(dims).endswith("Colon"):
        return source.finished(build(p))
    return source.finished(build(p, axes=tuple(sorted(-n for n in read_ints(dims, source.at("dims"))))))


def upsample(source: Source) -> Ported:
    """Build an Upsample, whose mode stood in the type until 0.5."""
    names = [read_text(param) for param in (source.fields.get("upsample_mode"), *source.struct.type.params)]
    mode: Any = next((name for name in names if name), "nearest")
    if source.fields.get("size") is not None:
        return source.finished(luxport.Upsample(mode=mode, size=source.sizes("size")))
    scale = source["scale"]
    factors = [
        read_number(read_static(n), source.at("scale")) for n in (scale if isinstance(scale, tuple) else (scale,))
    ][::-1]
    return source.finished(luxport.Upsample(factors[0] if len(factors) == 1 else tuple(factors), mode))


def flatten(source: Source) -> Ported:
    """Build a FlattenLayer."""
    axes = source.fields.get("N", next(iter(source.struct.type.params), None))
    axes = read_static(axes)
    return source.finished(luxport.FlattenLayer(N=axes) if isinstance(axes, int) else luxport.FlattenLayer())


def reverse(source: Source) -> Ported:
    """Build a ReverseSequence."""
    dim = read_static(source.fields.get("dim", next(iter(source.struct.type.params), None)))
    return source.finished(luxport.ReverseSequence(-dim if isinstance(dim, int) else None))


def select(source: Source) -> Ported:
    """Build a SelectDim: Julia counts axes from the other end, and places from 1."""
    params = [read_static(param) for param in source.struct.type.params]
    dim, index = source.fields.get("dim", params[:1]), source.fields.get("index", source.fields.get("i", params[1:2]))
    (axis,), (place,) = read_ints(dim, source.at("dim")), read_ints(index, source.at("index"))
    return source.finished(luxport.SelectDim(-axis, place - 1))


def wrapped(source: Source) -> Ported:
    """Build a function as a layer."""
    value = source.fields.get("func")
    match value:  # Lux's PixelShuffle is a function of two arguments with the second fixed
        case julia.Struct(type=julia.TypeName(params=(julia.TypeName(name="#pixel_shuffle"), *_)), fields=[*_, int(r)]):
            return source.finished(luxport.PixelShuffle(r))
    return build_hole(source, value)
