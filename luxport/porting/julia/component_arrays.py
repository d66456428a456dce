"""Read the vectors of ComponentArrays.jl as the named trees that the types of their axes describe.

The vector holds all numbers. Which of them belong to which entry is encoded in the type of the axes alone, in every
version of the package:

==================================  =============================================================
an entry of an axis                 what it describes
==================================  =============================================================
``3``                               one number
``2:7``                             a vector
``ViewAxis(2:7, Axis(...))``        a tree, whose entries are counted from the start of that range
``ViewAxis(2:7, ShapedAxis((2,3)))``  an array; ``Shaped1DAxis`` a vector
``ViewAxis(2:7, PartitionedAxis)``  a list of trees of equal size
``(2:7, (...))``, ``(2:7, 3, (...))``  a tree, a list of trees: versions 0.1 and 0.2
==================================  =============================================================
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.julia.type_rules import find_tuple_types
from luxport.porting.julia.wrappers import unwrap_array

__all__ = ["read_component_tree", "is_component_array"]

_NAMES = frozenset({"ComponentArray", "CArray"})
_SHAPES = frozenset({"ShapedAxis", "Shaped1DAxis"})


def is_component_array(value: Any) -> bool:
    """Return whether a value is an array of ComponentArrays.jl."""
    return isinstance(value, julia.Struct) and isinstance(value.type, julia.TypeName) and value.type.name in _NAMES


def read_component_tree(value: julia.Struct) -> Any:
    """Return a ComponentArray as a `julia.NamedTuple` of views, or as a plain array if its axes have no names.

    Raises: FileFormatError if the vector is not in the file, or an axis has indices outside it

    >>> span = julia.Struct(julia.TypeName(("Base",), "UnitRange"), [1, 2])
    >>> axis = julia.TypeName(("ComponentArrays",), "Axis", (julia.NamedTuple(("bias", "scale"), (span, 3)),))
    >>> kind = julia.TypeName(("ComponentArrays",), "ComponentArray", (julia.TypeName(("Core",), "Tuple", (axis,)),))
    >>> read_component_tree(julia.Struct(kind, [np.array([0.5, 1.0, 2.0]), ()]))["bias"]
    array([0.5, 1. ])
    """
    data = unwrap_array(value.fields[0] if value.fields else None, value.type.name)
    axes = _list_axes(value.type)
    # The axes of a matrix may have names, too, but parameters are always saved as a vector.
    if data.ndim != 1 or len(axes) != 1:
        return data
    return _apply_axis(data, axes[0])


def _list_axes(type: julia.TypeName) -> tuple[Any, ...]:
    """Return the types of the axes, which are in the one type parameter that is a tuple of axes."""
    for parameter in type.params:
        axes = find_tuple_types(parameter)
        if axes and all(_read_type_name(axis).endswith("Axis") for axis in axes):
            return axes
    return ()


def _apply_axis(data: np.ndarray, axis: Any) -> Any:
    """Return a vector in the form that an axis gives it: a tree, an array, a list of trees, or the vector itself."""
    params = _list_params(axis)
    match _read_type_name(axis):
        case "Axis":
            index_map = params[0] if params else None
            return _make_tree(data, index_map) if isinstance(index_map, julia.NamedTuple) and index_map.names else data
        case name if name in _SHAPES and params:
            return _shape_data(data, params[0])
        case "PartitionedAxis" if params and isinstance(params[0], int):
            return _split_partitions(data, params[0], params[-1])
    return data


def _make_tree(data: np.ndarray, index_map: julia.NamedTuple) -> julia.NamedTuple:
    return julia.NamedTuple(index_map.names, tuple([_read_entry(data, entry) for entry in index_map.values]))


def _read_entry(data: np.ndarray, entry: Any) -> Any:
    match entry:
        case tuple() if len(entry) == 2 and isinstance(entry[1], julia.NamedTuple):
            return _make_tree(_slice_entry(data, entry[0]), entry[1])
        case tuple() if len(entry) == 3 and isinstance(entry[1], int):
            part = _slice_entry(data, entry[0])
            inner = julia.TypeName((), "Axis", (entry[2],))
            return _split_partitions(part, entry[1], inner)
    if _read_type_name(entry) == "ViewAxis" and _list_params(entry):
        return _apply_axis(_slice_entry(data, _list_params(entry)[0]), _list_params(entry)[-1])
    return _slice_entry(data, entry)


def _split_partitions(data: np.ndarray, size: int, axis: Any) -> list[Any]:
    if size <= 0 or data.size % size:
        raise FileFormatError(f"a ComponentArray has {data.size} numbers in parts of {size}: not a multiple")
    return [_apply_axis(data[start : start + size], axis) for start in range(0, data.size, size)]


def _shape_data(data: np.ndarray, shape: Any) -> np.ndarray:
    sizes = shape if isinstance(shape, tuple) else (shape,)
    if not all(isinstance(n, int) and n >= 0 for n in sizes) or math.prod(sizes) != data.size:
        raise FileFormatError(f"a ComponentArray has {data.size} numbers for an array of the size {sizes!r:.60}")
    return data.reshape(sizes[::-1])


def _slice_entry(data: np.ndarray, place: Any) -> Any:
    """Return the number or the range of numbers at 1-based indices."""
    if not np.ndim(data):
        raise FileFormatError(f"a ComponentArray has an entry at {place!r} of a single number")
    if isinstance(place, int) and 1 <= place <= data.size:
        return data[place - 1]
    if _read_type_name(place) == "UnitRange" and isinstance(place, julia.Struct) and len(place.fields) == 2:
        first, last = place.fields
        if isinstance(first, int) and isinstance(last, int) and 1 <= first <= last + 1 <= data.size + 1:
            return data[first - 1 : last]
    raise FileFormatError(f"a ComponentArray of {data.size} numbers has an entry at {str(place)[:60]}")


def _read_type_name(axis: Any) -> str:
    """Return the name of an axis's type; an axis is given as a type or as the only value of that type."""
    type = axis.type if isinstance(axis, julia.Struct) else axis
    return type.name if isinstance(type, julia.TypeName) else ""


def _list_params(axis: Any) -> tuple[Any, ...]:
    type = axis.type if isinstance(axis, julia.Struct) else axis
    return type.params if isinstance(type, julia.TypeName) else ()
