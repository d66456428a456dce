"""Build the layer inside a Flux WeightNorm, with the normalized weight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux.building import Ported, Source
from luxport.porting.julia.wrappers import unwrap_array

__all__ = ["build_weight_norm"]


def build_weight_norm(source: Source) -> Ported:
    """Build the layer inside with the weight ``g v / sqrt(sum(v²) + eps)`` in place of ``v``.

    It does not become a luxport `WeightNorm`, which keeps a single axis: Flux's can sum over any axes.
    """
    layer, which = source["layer"], source["which"]
    if not isinstance(layer, julia.Struct) or not isinstance(which, julia.Symbol):
        raise FileFormatError(f"{source.path or 'the model'}: expected a WeightNorm of a layer, got {layer!r:.60}")
    fields = source.read_inner_fields(layer)
    if which.name not in fields:
        raise FileFormatError(f"{source.join_path('layer')}: {layer.type} has no {which.name} in this file")
    v, g = unwrap_array(fields[which.name], source.join_path(which.name)), source.read_array("g")
    axes = tuple([v.ndim - axis for axis in _read_axes(source["dims"], source.join_path("dims"))])
    if not all(0 <= axis < v.ndim for axis in axes):
        raise FileFormatError(f"{source.join_path('dims')}: expected axes of an array with {v.ndim} axes")
    norm = np.sqrt(np.sum(np.square(v), axis=axes, keepdims=True) + np.finfo(g.dtype).eps)
    changed = replace(layer, fields=[*fields.values()], names=tuple(fields))
    changed.fields[list(fields).index(which.name)] = (g * v / norm).astype(v.dtype)
    return source.port(changed, "layer")


def _read_axes(value: Any, what: str) -> tuple[int, ...]:
    match value:
        case int():
            return (value,)
        case julia.Struct(fields=[int(first), int(last)]) if 0 < first <= last <= 16:
            return tuple(range(first, last + 1))
        case tuple() if all(isinstance(axis, int) for axis in value):
            return value
    raise FileFormatError(f"{what}: expected axes, got {value!r:.60}")
