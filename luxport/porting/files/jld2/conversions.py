"""Convert values back that were saved as values of another type: dictionaries, BigInts, modules, long tuples."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.julia.type_rules import find_tuple_types

__all__ = ["convert_saved", "convert_special"]

_DIGITS = {d: n for n, d in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")}
_LONGEST_NUMBER = 4096


def convert_special(struct: julia.Struct) -> Any:
    """Return the value that a struct of Julia's Core or JLD2 represents; any other struct is returned unchanged."""
    if not isinstance(struct.type, julia.TypeName):
        return struct
    fields = struct.fields
    match struct.type.path:
        case "Core.UnionAll" if len(fields) == 2:
            return julia.UnionAll(fields[0], fields[1])
        case "Core.TypeVar" if len(fields) == 3 and isinstance(fields[0], julia.Symbol):
            return julia.TypeVar(fields[0].name, fields[1], fields[2])
        case "JLD2.InlineUnionEl" if len(fields) == 3:
            # The first field is 0 if the value has the first of the two possible types.
            return fields[1] if fields[0] == 0 else fields[2]
        case _:
            return struct


def convert_saved(type: Any, value: Any, dictionary: julia.Dict) -> Any:
    """Return the value of ``type`` that was saved as ``value``; a dictionary is put into ``dictionary``."""
    if isinstance(value, julia.Struct) and _read_path(value.type).endswith("SerializedDict") and len(value.fields) == 1:
        value = value.fields[0]
    if isinstance(value, list) and _read_path(type).endswith("Dict"):
        pairs = [_read_pair(item) for item in value]
        if all(pair is not None for pair in pairs):
            dictionary.pairs.extend(pair for pair in pairs if pair is not None)
            return dictionary
    if find_tuple_types(type) is not None or _read_path(type) == "Core.SimpleVector":
        if isinstance(value, list):
            return tuple(value)
        if isinstance(value, np.ndarray) and value.ndim == 1:
            return tuple(value.tolist() if value.dtype in (np.float64, np.int64, np.bool_) else value)
    match _read_path(type), value:
        case "Base.GMP.BigInt", str():
            number = _parse_base_62(value)
            return julia.Converted(type, value) if number is None else number
        case "Core.Module", str():
            return julia.Module(julia.drop_main(tuple(value.split("."))))
        case "Core.Ptr", _:
            return julia.Unavailable(type, "a pointer means nothing outside the process that saved it")
        case _:
            return julia.Converted(type, value)


def _read_path(type: Any) -> str:
    return type.path if isinstance(type, julia.TypeName) else ""


def _read_pair(item: Any) -> tuple[Any, Any] | None:
    is_struct = isinstance(item, julia.Struct) and len(item.fields) == 2
    if is_struct and _read_path(item.type) in ("Core.Pair", "Base.Pair"):
        return item.fields[0], item.fields[1]
    return None


def _parse_base_62(text: str) -> int | None:
    """Return an integer that is written in base 62, None if the text is none or too long."""
    digits = text.removeprefix("-")
    if not digits or len(digits) > _LONGEST_NUMBER or not all(d in _DIGITS for d in digits):
        return None
    number = 0
    for digit in digits:
        number = 62 * number + _DIGITS[digit]
    return -number if text.startswith("-") else number
