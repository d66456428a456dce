"""Flux's WeightNorm, as the layer with the weight that it computes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux.building import Ported, Source
from luxport.porting.julia.wrappers import unwrap_array

__all__ = ["weight_norm"]


def weight_norm(source: Source) -> Ported:
    """Build the layer inside with ``g v / sqrt(sum(v²) + eps)`` in the place of ``v``, as `remove_weight_norms` does.

    luxport's own WeightNorm keeps one axis, and Flux's sums over any.
    """
    layer, which = source["layer"], source["which"]
    if not isinstance(layer, julia.Struct) or not isinstance(which, julia.Symbol):
        raise FileFormatError(f"{source.path or 'the model'}: a WeightNorm of {layer!r:.60}")
    fields = source.inner(layer)
    if which.name not in fields:
        raise FileFormatError(f"{source.at('layer')}: {layer.type} has no {which.name} in this file")
    v, g = unwrap_array(fields[which.name], source.at(which.name)), source.array("g")
    axes = tuple([v.ndim - axis for axis in _read_axes(source["dims"], source.at("dims"))])
    if not all(0 <= axis < v.ndim for axis in axes):
        raise FileFormatError(f"{source.at('dims')}: axes of an array with {v.ndim} expected")
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
    raise FileFormatError(f"{what}: axes expected, got {value!r:.60}")
