"""Rules about Julia's types that the readers of BSON and JLD2 share: limits on their size, and types with one value."""

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
"""Limits on the size of a type: in any file, in the largest files, and one parameter for this many bytes of a file."""
_DEEPEST_TYPE = 100
_LONGEST_TUPLE = 65_536
_LONGEST_EMPTY_TUPLE = 1024
_GPU_ARRAYS = frozenset({"CuArray", "ROCArray", "MtlArray", "oneArray", "CuDeviceArray", "CuSparseMatrixCSC"})
_EMPTY = {"Core.Nothing": None, "Base.Missing": julia.MISSING, "BSON.Undef": julia.UNDEFINED}


class TypeSizes:
    """Check that types are small enough to print, compare and hash, which walk the whole type.

    A type that contains itself, or whose shared parts make it astronomically large, is refused.
    """

    def __init__(self, file_size: int = 0) -> None:
        self._largest = max(_LARGEST_TYPE, min(file_size // _BYTES, _LARGEST_OF_ALL))
        # Size and depth by id. The value is kept, too, because after its deletion another value could get the same id.
        self._known: dict[int, tuple[int, int, Any]] = {}

    def check(self, params: tuple[Any, ...], offset: int) -> None:
        """Raise FileFormatError if one of the parameters is not a valid parameter, or all together are too large."""
        if sum(self._measure(param, offset)[0] for param in params) > self._largest:
            raise self._explain_too_large(offset)

    def _explain_too_large(self, offset: int) -> FileFormatError:
        return FileFormatError(
            f"a type is larger than luxport reads in a file of this size: at most {self._largest:,} nested parameters, "
            f"{_DEEPEST_TYPE} deep",
            offset=offset,
        )

    def _measure(self, param: Any, offset: int) -> tuple[int, int]:
        if not isinstance(param, _PARAMETERS):
            raise FileFormatError(f"a type has a parameter that is a {type(param).__name__}", offset=offset)
        if isinstance(param, (bool, int, float, np.generic, type(None), julia.Symbol, str)):
            return 1 + _measure_name(param), 1
        size, depth, _ = self._known.get(id(param), (0, 0, None))
        if size:
            return size, depth
        if depth:
            raise FileFormatError("a parameter of a type contains itself", offset=offset)
        self._known[id(param)] = (0, 1, param)
        measures = [self._measure(part, offset) for part in _list_parts(param)]
        size = 1 + _measure_name(param) + sum(size for size, _ in measures)
        depth = 1 + max((depth for _, depth in measures), default=0)
        if size > self._largest or depth > _DEEPEST_TYPE:
            raise self._explain_too_large(offset)
        self._known[id(param)] = (size, depth, param)
        return size, depth


def _measure_name(param: Any) -> int:
    """Return the extra size of a long name: a type that has it a thousand times prints it a thousand times."""
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
    """Return whether values of a type are functions: the names of their types begin with ``#``."""
    return isinstance(type, julia.TypeName) and type.name.startswith("#")


def is_gpu_array(type: Any) -> bool:
    """Return whether values of a type are arrays in the memory of a GPU."""
    return isinstance(type, julia.TypeName) and type.name in _GPU_ARRAYS


def mark_unavailable(value: julia.Struct) -> Any:
    """Return an array in the memory of a GPU, as `julia.Unavailable` if its numbers were not written to the file."""
    inside = islice(julia.yield_values(value), 200)
    if any(isinstance(part, np.ndarray) and part.dtype != object for part in inside):
        return value
    return julia.Unavailable(value.type, "the weights were on a GPU and were never written to the file")


def find_named_tuple_names(type: Any) -> tuple[str, ...] | None:
    """Return the names of a ``NamedTuple`` type, None for another type or if the names are free."""
    if not isinstance(type, julia.TypeName) or type.path != "Core.NamedTuple" or not type.params:
        return None
    names = type.params[0]
    if not isinstance(names, tuple) or not all(isinstance(name, julia.Symbol) for name in names):
        return None
    return tuple(name.name for name in names)


def find_tuple_types(type: Any) -> tuple[Any, ...] | None:
    """Return the element types of a tuple type, None for another type or if their number is free or implausible."""
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
    """Return the only value of a singleton type: ``nothing``, a function, or a tuple or struct of singletons.

    Raises: FileFormatError if the type is nested too deep, or is an implausibly long tuple
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
            raise FileFormatError(
                f"a tuple of {len(types)} elements without data: luxport reads at most {_LONGEST_EMPTY_TUPLE}",
                offset=offset,
            )
        # Identical types share one value, so that tuples of tuples do not grow exponentially.
        values = {id(t): make_instance(t, offset, depth + 1) for t in {id(t): t for t in types}.values()}
        return tuple(values[id(t)] for t in types)
    names = find_named_tuple_names(type)
    if names is not None and len(type.params) == 2:
        values = make_instance(type.params[1], offset, depth + 1)
        if isinstance(values, tuple) and len(values) == len(names):
            return julia.NamedTuple(names, values)
    return julia.Struct(type, [])
