"""Read arrays of plain numbers or plain bits at once instead of element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.files.jld2.committed import CommittedType
from luxport.porting.files.jld2.datatypes import Compound, Datatype, Number, Opaque
from luxport.porting.julia.primitives import find_complex_type, find_element_size, read_array

__all__ = ["read_array_at_once", "is_complex"]


def read_array_at_once(
    storage: Datatype, committed: CommittedType | None, data: memoryview, shape: tuple[int, ...], place: int
) -> Any:
    """Return an array of plain numbers or plain bits, None for other elements; `committed` is their committed type."""
    julia_type = None if committed is None else committed.type
    if isinstance(storage, Number):
        if storage.dtype is None:
            name = "Int128" if storage.signed else "UInt128"
            return read_array(julia.TypeName(("Core",), name), data, shape, place)
        if storage.dtype.byteorder == ">":
            native = np.frombuffer(data, storage.dtype).astype(storage.dtype.newbyteorder("<"))
            return native.reshape(shape)
        return read_array(_find_type(storage.dtype), data, shape, place)
    if isinstance(storage, Opaque) and (committed is None or not committed.empty):
        return read_array(julia_type, data, shape, place)
    if isinstance(storage, Compound) and is_complex(julia_type, storage):
        return read_array(julia_type, data, shape, place)
    return None


def _find_type(dtype: np.dtype[Any]) -> julia.TypeName:
    kind = {"f": "Float", "i": "Int", "u": "UInt"}.get(dtype.kind)
    return julia.TypeName(("Core",), f"{kind}{8 * dtype.itemsize}" if kind else "Bool")


def is_complex(type: Any, storage: Compound) -> bool:
    """Return whether a type is Complex, stored as two numbers for which NumPy has a complex dtype."""
    if not isinstance(type, julia.TypeName) or type.path != "Base.Complex" or len(storage.members) != 2:
        return False
    first, second = storage.members
    if (
        not isinstance(first.type, Number)
        or first.type != second.type
        or (first.offset, second.offset) != (0, first.type.size)
    ):
        return False
    return find_complex_type(first.type.dtype) is not None and find_element_size(type) == storage.size
