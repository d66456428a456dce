"""What both readers ask of types: that parameters can be parameters, and what values the empty types have."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError

__all__ = ["TypeSizes", "make_instance", "is_function", "is_gpu_array", "find_named_tuple_names"]
__all__ += ["mark_unavailable", "find_tuple_types"]

_PARAMETERS = (
    *(julia.TypeName, julia.TypeVar, julia.UnionAll, julia.Union, julia.Symbol, julia.Char, julia.Module, julia.Bits),
    *(julia.NamedTuple, julia.Struct, julia.Function, julia.Converted, julia.Unavailable),
    *(tuple, bool, int, float, str, np.generic, type(None)),
)
_LARGEST_TYPE, _LARGEST_OF_ALL, _BYTES = 200_000, 2_000_000, 16
"""So large a type may be in any file, and in a large file: so many bytes for each of its parameters."""
_DEEPEST_TYPE = 100
_LONGEST_TUPLE = 65_536
_LONGEST_EMPTY_TUPLE = 1024
_GPU_ARRAYS = frozenset({"CuArray", "ROCArray", "MtlArray", "oneArray", "CuDeviceArray", "CuSparseMatrixCSC"})
_EMPTY = {"Core.Nothing": None, "Base.Missing": julia.MISSING, "BSON.Undef": julia.UNDEFINED}


class TypeSizes:
    """Measures types when they are made: one that names itself, or is astronomically large by sharing, is refused.

    Printing, comparing and hashing a type walks it; this bounds what that can cost.
    """

    def __init__(self, file_size: int = 0) -> None:
        self._largest = max(_LARGEST_TYPE, min(file_size // _BYTES, _LARGEST_OF_ALL))
        # Size and depth by identity. The values are kept with them, else another could come to have the same id.
        self._known: dict[int, tuple[int, int, Any]] = {}

    def check(self, params: tuple[Any, ...], offset: int) -> None:
        """Raise FileFormatError if one of the parameters cannot be one."""
        if sum(self._measure(param, offset)[0] for param in params) > self._largest:
            raise self._explain_too_large(offset)

    def _explain_too_large(self, offset: int) -> FileFormatError:
        return FileFormatError(
            f"a type is larger than luxport reads in a file of this size: {self._largest:,} parameters of parameters, "
            f"{_DEEPEST_TYPE} deep",
            offset=offset,
        )

    def _measure(self, param: Any, offset: int) -> tuple[int, int]:
        if not isinstance(param, _PARAMETERS):
            raise FileFormatError(f"a type has a parameter that is a {type(param).__name__}", offset=offset)
        if isinstance(param, (bool, int, float, np.generic, type(None), julia.Symbol, str)):
            return 1 + _name_size(param), 1
        size, depth, _ = self._known.get(id(param), (0, 0, None))
        if size:
            return size, depth
        if depth:
            raise FileFormatError("a parameter of a type contains itself", offset=offset)
        self._known[id(param)] = (0, 1, param)
        measures = [self._measure(part, offset) for part in _list_parts(param)]
        size, depth = (
            1 + _name_size(param) + sum(size for size, _ in measures),
            1 + max((depth for _, depth in measures), default=0),
        )
        if size > self._largest or depth > _DEEPEST_TYPE:
            raise self._explain_too_large(offset)
        self._known[id(param)] = (size, depth, param)
        return size, depth


def _name_size(param: Any) -> int:
    """Long names count like parameters: a type that has one a thousand times is as long as they all are."""
    match param:
        case str():
            return len(param) // 64
        case julia.Symbol() | julia.TypeVar():
            return len(param.name) // 64
        case julia.TypeName():
            return (len(param.name) + sum(map(len, param.module))) // 64
        case julia.NamedTuple():
            return sum(map(len, param.names)) // 64
        case _:
            return 0


def _list_parts(param: Any) -> list[Any]:
    match param:
        case julia.TypeName():
            return list(param.params)
        case julia.UnionAll():
            return [param.variable, param.body]
        case julia.Union():
            return list(param.types)
        case julia.TypeVar():
            return [param.lower, param.upper]
        case julia.Struct() | julia.Function():
            return [param.type, *(child for _, child in julia.yield_children(param))]
        case _:
            return [child for _, child in julia.yield_children(param)]


def is_function(type: Any) -> bool:
    """Return whether values of this type are functions: Julia names their types with a ``#``."""
    return isinstance(type, julia.TypeName) and type.name.startswith("#")


def is_gpu_array(type: Any) -> bool:
    """Return whether values of this type are arrays in the memory of a GPU."""
    return isinstance(type, julia.TypeName) and type.name in _GPU_ARRAYS


def mark_unavailable(value: julia.Struct) -> Any:
    """Return an array in the memory of a GPU, or what says that no numbers of it are in the file."""
    inside = islice(julia.yield_values(value), 200)
    if any(isinstance(part, np.ndarray) and part.dtype != object for part in inside):
        return value
    return julia.Unavailable(value.type, "the weights were on a GPU and were never written to the file")


def find_named_tuple_names(type: Any) -> tuple[str, ...] | None:
    """Return the names in a ``NamedTuple`` type, None if it is another type or has none."""
    if not isinstance(type, julia.TypeName) or type.path != "Core.NamedTuple" or not type.params:
        return None
    names = type.params[0]
    if not isinstance(names, tuple) or not all(isinstance(name, julia.Symbol) for name in names):
        return None
    return tuple(name.name for name in names)


def find_tuple_types(type: Any) -> tuple[Any, ...] | None:
    """Return the types of a tuple type's elements, None if it is another type or their number is open or absurd."""
    if not isinstance(type, julia.TypeName):
        return None
    if type.path == "Core.Tuple" or (type.name == "Tuple" and not type.module):
        return type.params
    if type.name == "NTuple" and len(type.params) == 2:
        count, element = type.params
        if isinstance(count, int) and 0 <= count <= _LONGEST_TUPLE:
            return (element,) * count
    return None


def make_instance(type: Any, offset: int, depth: int = 0) -> Any:
    """Return the value of a type that has only one: ``nothing``, a function, a tuple or struct of such.

    Raises: FileFormatError if the type is nested too deep, or is a tuple too long to be real
    """
    if depth > 50:
        raise FileFormatError("an empty type is nested more than 50 deep", offset=offset)
    if not isinstance(type, julia.TypeName):
        return julia.Struct(type, [])
    if type.path in _EMPTY:
        return _EMPTY[type.path]
    if is_function(type):
        return julia.Function(type)
    if type.path == "Core.TypeofBottom":
        return julia.BOTTOM
    types = find_tuple_types(type)
    if types is not None:
        if len(types) > _LONGEST_EMPTY_TUPLE:
            raise FileFormatError(f"an empty tuple of {len(types)} elements", offset=offset)
        # One value stands for equal types, so that tuples of tuples cost no more than their description.
        values = {id(t): make_instance(t, offset, depth + 1) for t in {id(t): t for t in types}.values()}
        return tuple(values[id(t)] for t in types)
    names = find_named_tuple_names(type)
    if names is not None and len(type.params) == 2:
        values = make_instance(type.params[1], offset, depth + 1)
        if isinstance(values, tuple) and len(values) == len(names):
            return julia.NamedTuple(names, values)
    return julia.Struct(type, [])
