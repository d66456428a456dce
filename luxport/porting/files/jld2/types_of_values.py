"""The Julia types of values to write, and their properties: members, size, whether they have data."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.files.jld2.datatype_bytes import PLAIN, count_bytes

__all__ = ["NOTHING", "STRING", "SYMBOL", "find_element", "has_data", "list_members", "measure_memory", "find_type"]

SYMBOL = julia.TypeName(("Core",), "Symbol")
STRING = julia.TypeName(("Core",), "String")
NOTHING = julia.TypeName(("Core",), "Nothing")


def find_type(value: Any, path: str) -> julia.TypeName:
    """Return the type that a value has in Julia.

    Raises: TypeError for a value that cannot be written
    """
    match value:
        case None:
            return NOTHING
        case bool():
            return julia.TypeName(("Core",), "Bool")
        case np.generic():
            return find_element(value.dtype, path)
        case int():
            if not -(1 << 63) <= value < 1 << 63:
                raise TypeError(f"JLD2 expects integers of at most 64 bits, got {value} at {path}")
            return julia.TypeName(("Core",), "Int64")
        case float():
            return julia.TypeName(("Core",), "Float64")
        case str():
            return STRING
        case julia.Symbol():
            return SYMBOL
        case np.ndarray():
            return julia.TypeName(("Core",), "Array", (find_element(value.dtype, path), value.ndim))
        case tuple():
            return julia.TypeName(
                ("Core",), "Tuple", tuple([find_type(entry, f"{path}.{i}") for i, entry in enumerate(value, start=1)])
            )
        case julia.NamedTuple():
            types = [find_type(entry, f"{path}.{name}") for name, entry in zip(value.names, value.values, strict=True)]
            names = tuple([julia.Symbol(name) for name in value.names])
            return julia.TypeName(("Core",), "NamedTuple", (names, julia.TypeName(("Core",), "Tuple", tuple(types))))
    raise TypeError(
        f"JLD2 expects numbers, arrays, text, tuples and named tuples, got {type(value).__name__} at {path}"
    )


def find_element(dtype: np.dtype[Any], path: str) -> julia.TypeName:
    """Return the Julia type of a NumPy dtype."""
    name = {"f": "Float", "i": "Int", "u": "UInt", "b": "Bool"}.get(dtype.kind, "")
    name += "" if name == "Bool" else str(8 * dtype.itemsize)
    if f"Core.{name}" in PLAIN:
        return julia.TypeName(("Core",), name)
    if dtype.kind == "c" and dtype.itemsize in (8, 16):
        part = julia.TypeName(("Core",), f"Float{4 * dtype.itemsize}")
        return julia.TypeName(("Base",), "Complex", (part,))
    raise TypeError(f"JLD2 expects numbers of a dtype that Julia has, got {dtype} at {path}")


def list_members(type: julia.TypeName) -> tuple[tuple[str, ...], tuple[julia.TypeName, ...]]:
    """Return the names and the types of a record's members."""
    if type.path == "Core.NamedTuple":
        return tuple([symbol.name for symbol in type.params[0]]), type.params[1].params
    if type.path == "Base.Complex":
        return ("re", "im"), type.params * 2
    return tuple([str(i) for i in range(1, len(type.params) + 1)]), type.params


def has_data(type: julia.TypeName) -> bool:
    """Return whether values of a type have data; a type with a single value, such as Nothing, has none."""
    if type.path in ("Core.NamedTuple", "Core.Tuple"):
        return any(map(has_data, list_members(type)[1]))
    return type != NOTHING


def measure_memory(type: julia.TypeName) -> tuple[int, int]:
    """Return the size and the alignment of a value in Julia's memory."""
    if type.path in PLAIN:
        size = count_bytes(PLAIN[type.path])
        return size, size
    if type.path not in ("Core.NamedTuple", "Core.Tuple", "Base.Complex"):
        return (8, 8) if has_data(type) else (0, 1)
    end, most = 0, 1
    for size, alignment in map(measure_memory, list_members(type)[1]):
        end += -end % alignment + size
        most = max(most, alignment)
    return end + -end % most, most
