"""Take the array out of Julia's wrappers: views, transposes, reshapes, and the array types of Tracker and others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError

__all__ = ["unwrap_array"]

_DEEPEST = 16


def unwrap_array(value: Any, what: str, depth: int = 0) -> Any:
    """Return the array inside wrappers: tracked arrays, transposes, reshapes, permutations, views.

    Raises: FileFormatError if there is none, or its numbers are not in the file
    """
    match value:
        case np.ndarray():
            return value
        case julia.Unavailable():
            raise FileFormatError(f"{what}: {value.reason}")
        case julia.Struct(fields=[_, *_] as fields) if depth < _DEEPEST:
            name = value.type.name if isinstance(value.type, julia.TypeName) else str(value.type)

            def unwrap(position: int = 0) -> Any:
                return unwrap_array(fields[position], what, depth + 1)

            match name:
                case "Transpose" | "Adjoint":
                    # The transpose of a vector is a matrix of one row.
                    found = unwrap()
                    return found[:, None] if found.ndim == 1 else found.T
                case "ReshapedArray" if len(fields) >= 2 and isinstance(fields[1], tuple):
                    sizes = fields[1][::-1]
                    found = unwrap()
                    if all(isinstance(n, int) and n >= 0 for n in sizes) and math.prod(sizes) == found.size:
                        return found.reshape(sizes)
                case "PermutedDimsArray":
                    return _permute(unwrap(), value.type.params, what)
                case "SubArray" if len(fields) >= 2 and isinstance(fields[1], tuple):
                    return _take_view(unwrap(), fields[1], what)
                case "TrackedArray" if len(fields) >= 2:  # its fields: the tape, the data, the gradient
                    return unwrap(1)
                case _ if "Array" in name:
                    return unwrap()
    raise FileFormatError(f"{what}: an array expected, got {julia.name_type(value)}")


def _permute(parent: Any, params: tuple[Any, ...], what: str) -> Any:
    order = params[2] if len(params) > 2 else None
    axes = parent.ndim
    if not isinstance(order, tuple) or sorted(map(str, order)) != sorted(str(n) for n in range(1, axes + 1)):
        raise FileFormatError(f"{what}: a PermutedDimsArray whose permutation is missing or not of its {axes} axes")
    return parent.transpose([axes - order[axes - 1 - axis] for axis in range(axes)])


def _take_view(parent: Any, indices: tuple[Any, ...], what: str) -> Any:
    if len(indices) != parent.ndim:
        raise FileFormatError(f"{what}: a view with {len(indices)} indices of an array with {parent.ndim} axes")
    places = [_read_places(index, size, what) for index, size in zip(indices[::-1], parent.shape, strict=True)]
    return parent[tuple(places)]


def _read_places(index: Any, size: int, what: str) -> int | slice:
    """Return 1-based indices along an axis as a Python index or slice."""
    kind = index.type.name if isinstance(index, julia.Struct) and isinstance(index.type, julia.TypeName) else ""
    match kind, index:
        case _, int() if 1 <= index <= size:
            return index - 1
        case "Slice", _:
            return slice(None)
        case "UnitRange", julia.Struct(fields=[int(first), int(last)]) if 1 <= first <= last + 1 <= size + 1:
            return slice(first - 1, last)
        case "OneTo", julia.Struct(fields=[int(last)]) if 0 <= last <= size:
            return slice(0, last)
    raise FileFormatError(f"{what}: a view with an index that luxport cannot read: {julia.name_type(index)}")
