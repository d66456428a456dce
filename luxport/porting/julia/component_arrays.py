"""ComponentArrays.jl's vectors as the named trees that their axes describe.

The vector holds all numbers; where each has its place is said by the type of the axes alone, in every version of the
package:

==================================  =============================================================
an entry of an axis                 what is there
==================================  =============================================================
``3``                               one number
``2:7``                             a vector
``ViewAxis(2:7, Axis(...))``        a tree, whose own entries count from the first number of its part
``ViewAxis(2:7, ShapedAxis((2,3)))``  an array; ``Shaped1DAxis`` a vector
``ViewAxis(2:7, PartitionedAxis)``  a list of trees, one after the other
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
    """Return what a ComponentArray holds: a `julia.NamedTuple` of views; the plain array if it has no names.

    Raises: FileFormatError if the vector is not in the file, or the axes name places outside it

    >>> span = julia.Struct(julia.TypeName(("Base",), "UnitRange"), [1, 2])
    >>> axis = julia.TypeName(("ComponentArrays",), "Axis", (julia.NamedTuple(("bias", "scale"), (span, 3)),))
    >>> kind = julia.TypeName(("ComponentArrays",), "ComponentArray", (julia.TypeName(("Core",), "Tuple", (axis,)),))
    >>> read_component_tree(julia.Struct(kind, [np.array([0.5, 1.0, 2.0]), ()]))["bias"]
    array([0.5, 1. ])
    """
    data = unwrap_array(value.fields[0] if value.fields else None, value.type.name)
    axes = _list_axes(value.type)
    # The rows or columns of a matrix may have names too, but parameters have one axis.
    if data.ndim != 1 or len(axes) != 1:
        return data
    return _take_part(data, axes[0])


def _list_axes(type: julia.TypeName) -> tuple[Any, ...]:
    """Return the types of the axes: the parameter that is a tuple of such."""
    for parameter in type.params:
        axes = find_tuple_types(parameter)
        if axes and all(_name(axis).endswith("Axis") for axis in axes):
            return axes
    return ()


def _take_part(data: np.ndarray, axis: Any) -> Any:
    """Return what an axis says of a vector."""
    params = _list_params(axis)
    match _name(axis):
        case "Axis":
            index_map = params[0] if params else None
            return _make_tree(data, index_map) if isinstance(index_map, julia.NamedTuple) and index_map.names else data
        case name if name in _SHAPES and params:
            return _shape_data(data, params[0])
        case "PartitionedAxis" if params and isinstance(params[0], int):
            return _cut_pieces(data, params[0], params[-1])
    return data


def _make_tree(data: np.ndarray, index_map: julia.NamedTuple) -> julia.NamedTuple:
    return julia.NamedTuple(index_map.names, tuple([_take_entry(data, entry) for entry in index_map.values]))


def _take_entry(data: np.ndarray, entry: Any) -> Any:
    match entry:
        case tuple() if len(entry) == 2 and isinstance(entry[1], julia.NamedTuple):
            return _make_tree(_take_view(data, entry[0]), entry[1])
        case tuple() if len(entry) == 3 and isinstance(entry[1], int):
            part = _take_view(data, entry[0])
            inner = julia.TypeName((), "Axis", (entry[2],))
            return _cut_pieces(part, entry[1], inner)
    if _name(entry) == "ViewAxis" and _list_params(entry):
        return _take_part(_take_view(data, _list_params(entry)[0]), _list_params(entry)[-1])
    return _take_view(data, entry)


def _cut_pieces(data: np.ndarray, size: int, axis: Any) -> list[Any]:
    if size <= 0 or data.size % size:
        raise FileFormatError(f"a ComponentArray has {data.size} numbers in parts of {size}")
    return [_take_part(data[start : start + size], axis) for start in range(0, data.size, size)]


def _shape_data(data: np.ndarray, shape: Any) -> np.ndarray:
    sizes = shape if isinstance(shape, tuple) else (shape,)
    if not all(isinstance(n, int) and n >= 0 for n in sizes) or math.prod(sizes) != data.size:
        raise FileFormatError(f"a ComponentArray has {data.size} numbers for an array of the size {sizes!r:.60}")
    return data.reshape(sizes[::-1])


def _take_view(data: np.ndarray, place: Any) -> Any:
    """Return one number or a run of them by 1-based places."""
    if not np.ndim(data):
        raise FileFormatError(f"a ComponentArray has a part {place!r} of a single number")
    if isinstance(place, int) and 1 <= place <= data.size:
        return data[place - 1]
    if _name(place) == "UnitRange" and isinstance(place, julia.Struct) and len(place.fields) == 2:
        first, last = place.fields
        if isinstance(first, int) and isinstance(last, int) and 1 <= first <= last + 1 <= data.size + 1:
            return data[first - 1 : last]
    raise FileFormatError(f"a ComponentArray of {data.size} numbers has an entry at {str(place)[:60]}")


def _name(axis: Any) -> str:
    """The name of the type of an axis, which stands there itself or as its only value."""
    type = axis.type if isinstance(axis, julia.Struct) else axis
    return type.name if isinstance(type, julia.TypeName) else ""


def _list_params(axis: Any) -> tuple[Any, ...]:
    type = axis.type if isinstance(axis, julia.Struct) else axis
    return type.params if isinstance(type, julia.TypeName) else ()
