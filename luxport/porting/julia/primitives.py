"""Convert Julia's primitive types to NumPy's: numbers, booleans, characters, and arrays of them in C order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.julia.type_rules import find_tuple_types

__all__ = [
    "read_array",
    "find_complex_type",
    "find_element_size",
    "list_items",
    "find_number_type",
    "make_object_array",
    "reverse_size",
    "make_scalar",
    "read_value",
]

_NUMBERS = {
    "Bool": np.dtype(np.bool_),
    **{f"Float{n}": np.dtype(f"<f{n // 8}") for n in (16, 32, 64)},
    **{f"Int{n}": np.dtype(f"<i{n // 8}") for n in (8, 16, 32, 64)},
    **{f"UInt{n}": np.dtype(f"<u{n // 8}") for n in (8, 16, 32, 64)},
}
_COMPLEX = {np.dtype("<f4"): np.dtype("<c8"), np.dtype("<f8"): np.dtype("<c16")}
_POINTERS = ("Ptr", "CuPtr", "LLVMPtr", "PtrOrCuPtr")


def find_number_type(type: Any) -> np.dtype[Any] | None:
    """Return the NumPy dtype of a Julia number type, real or complex, None if NumPy has none."""
    if not isinstance(type, julia.TypeName):
        return None
    if type.module == ("Core",):
        return _NUMBERS.get(type.name)
    if type.path == "Base.Complex" and len(type.params) == 1:
        return find_complex_type(find_number_type(type.params[0]))
    return None


def find_complex_type(part: np.dtype[Any] | None) -> np.dtype[Any] | None:
    """Return the complex dtype whose real and imaginary parts have this dtype, None if NumPy has none."""
    return None if part is None else _COMPLEX.get(part)


def find_element_size(type: Any) -> int | None:
    """Return the number of bytes of an element of a primitive type, None if it is unknown."""
    dtype = find_number_type(type)
    if dtype is not None:
        return dtype.itemsize
    if isinstance(type, julia.TypeName):
        if type.path in ("Core.Int128", "Core.UInt128"):
            return 16
        if type.path == "Core.Char":
            return 4
        if type.name in ("BFloat16",):
            return 2
        if type.name in _POINTERS:
            return 8
    return None


def make_scalar(number: np.generic) -> Any:
    """Return a NumPy scalar as bool, int or float if Julia's type is their equivalent, else the scalar itself."""
    return number.item() if number.dtype.str in ("|b1", "<i8", "<f8") else number


def read_value(type: Any, data: memoryview, offset: int) -> Any:
    """Return a value of a primitive type, read from its bytes.

    Raises: FileFormatError if the number of bytes is wrong for the type
    """
    size = find_element_size(type)
    if size is not None and len(data) != size:
        raise FileFormatError(f"{size} bytes expected for a {type}, got {len(data)}", offset=offset)
    dtype = find_number_type(type)
    if dtype is not None:
        return make_scalar(read_array(type, data, (), offset)[()])
    if size is None:
        return julia.Bits(type, bytes(data))
    match type.name:
        case "Int128" | "UInt128":
            return int.from_bytes(data, "little", signed=type.name == "Int128")
        case "Char":
            return _read_character(data)
        case "BFloat16":
            return read_array(type, data, (), offset)[()]
        case _:
            return julia.Unavailable(type, "a pointer means nothing outside the process that saved it")


def read_array(type: Any, data: memoryview, shape: tuple[int, ...], offset: int) -> Any:
    """Return an array of bits types in C order, of ``shape`` (Julia's reversed); a view of ``data`` where aligned.

    Raises: FileFormatError if the number of bytes is wrong for the shape
    """
    size = find_element_size(type)
    count = math.prod(shape)
    if size is not None and size * count != len(data):
        raise FileFormatError(
            f"{size * count} bytes expected for an array {shape} of {type}, got {len(data)}", offset=offset
        )
    dtype = find_number_type(type)
    if dtype is not None:
        if dtype == np.bool_ and np.any(np.frombuffer(data, np.uint8) > 1):
            raise FileFormatError("an array of Bool has bytes other than 0 and 1", offset=offset)
        return _align(np.frombuffer(data, dtype).reshape(shape))
    match type:
        case julia.TypeName(name="Int128" | "UInt128"):
            signed = type.name == "Int128"
            values = [int.from_bytes(data[i : i + 16], "little", signed=signed) for i in range(0, len(data), 16)]
            return make_object_array(values, shape)
        case julia.TypeName(module=("Core",), name="Char"):
            values = [_read_character(data[i : i + 4]) for i in range(0, len(data), 4)]
            return values if len(shape) == 1 else make_object_array(values, shape)
        case julia.TypeName(name="BFloat16"):
            # A bfloat16 is the upper half of a float32, so the conversion is exact.
            upper = np.frombuffer(data, "<u2").astype("<u4") << 16
            return upper.view("<f4").reshape(shape)
        case _:
            return julia.BitsArray(type, shape, bytes(data))


def list_items(array: julia.BitsArray) -> list[Any]:
    """Return the elements of a vector of bits types: tuples of numbers as tuples, all others as `julia.Bits`.

    >>> pair = julia.TypeName(("Core",), "Tuple", (julia.TypeName(("Core",), "Int64"),) * 2)
    >>> list_items(julia.BitsArray(pair, (1,), bytes([1, *bytes(7), 2, *bytes(7)])))
    [(1, 2)]
    """
    count = math.prod(array.shape)
    types = find_tuple_types(array.type)
    dtypes = [find_number_type(type) for type in types or ()]
    fields = [(str(i), dtype) for i, dtype in enumerate(dtypes) if dtype is not None]
    if 0 < len(fields) == len(dtypes) <= 64:
        record = np.dtype(fields, align=True)
        if record.itemsize * count == len(array.data):
            return np.frombuffer(array.data, record).tolist()
    size = len(array.data) // count if count else 0
    # Elements of no bytes are dropped: nothing in the file would limit their number, which could be astronomical.
    return [julia.Bits(array.type, array.data[i * size : (i + 1) * size]) for i in range(count if size else 0)]


def make_object_array(values: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of Python objects. `np.array` would turn lists among the values into further axes."""
    result = np.empty(len(values), object)
    for i, value in enumerate(values):
        result[i] = value
    return result.reshape(shape)


def reverse_size(size: list[Any], offset: int) -> tuple[int, ...]:
    """Return the size of a Julia array as a NumPy shape.

    Raises: FileFormatError if a size is not an integer, negative or beyond 2^62, or if there are more than 32 axes
    """
    if len(size) > 32:
        raise FileFormatError(f"an array has {len(size)} axes, more than 32", offset=offset)
    for extent in size:
        if isinstance(extent, bool) or not isinstance(extent, int) or not 0 <= extent < 2**62:
            raise FileFormatError(f"an array has {extent!r} entries along an axis", offset=offset)
    if math.prod(size) >= 2**62:
        raise FileFormatError(f"an array has the size {tuple(size)}", offset=offset)
    return tuple(reversed(size))


def _align(array: np.ndarray) -> np.ndarray:
    """Return an array with aligned memory, copied if needed: frameworks refuse unaligned arrays or are slow on them."""
    if not array.flags.aligned:
        array = array.copy()
        array.flags.writeable = False
    return array


def _read_character(data: memoryview) -> julia.Char:
    # A Julia Char is 32 bits: the UTF-8 bytes of the character, the first in the highest byte, padded with zeros.
    encoded = bytes(reversed(data)).rstrip(b"\0") or b"\0"
    try:
        text = encoded.decode()
    except UnicodeDecodeError:
        return julia.Char("")
    return julia.Char(text if len(text) == 1 else "")
