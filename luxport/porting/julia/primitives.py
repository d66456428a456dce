"""Julia's primitive types as NumPy's: numbers, truth values, characters, and arrays of them in our layout."""

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
    """Return NumPy's type of a primitive or complex number type, None if it has none."""
    if not isinstance(type, julia.TypeName):
        return None
    if type.module == ("Core",):
        return _NUMBERS.get(type.name)
    if type.path == "Base.Complex" and len(type.params) == 1:
        return find_complex_type(find_number_type(type.params[0]))
    return None


def find_complex_type(part: np.dtype[Any] | None) -> np.dtype[Any] | None:
    """Return the complex type with real and imaginary parts of this type, None if NumPy has none."""
    return None if part is None else _COMPLEX.get(part)


def find_element_size(type: Any) -> int | None:
    """Return how many bytes an element of a plain type takes, None if that is unknown."""
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
    """Return a NumPy scalar as Python's bool, int or float where that says as much as the Julia type."""
    return number.item() if number.dtype.str in ("|b1", "<i8", "<f8") else number


def read_value(type: Any, data: memoryview, offset: int) -> Any:
    """Return one value of a primitive type from its bytes.

    Raises: FileFormatError if the number of bytes is not the type's
    """
    size = find_element_size(type)
    if size is not None and len(data) != size:
        raise FileFormatError(f"a {type} has {size} bytes, here it has {len(data)}", offset=offset)
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
    """Return an array of plain bits, in C order with ``shape`` (Julia's, reversed); a view of ``data`` where aligned.

    Raises: FileFormatError if the number of bytes does not fit the shape
    """
    size = find_element_size(type)
    count = math.prod(shape)
    if size is not None and size * count != len(data):
        raise FileFormatError(f"an array {shape} of {type} has {size * count} bytes, here {len(data)}", offset=offset)
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
            # The upper half of a float32: every value is kept.
            upper = np.frombuffer(data, "<u2").astype("<u4") << 16
            return upper.view("<f4").reshape(shape)
        case _:
            return julia.BitsArray(type, shape, bytes(data))


def list_items(array: julia.BitsArray) -> list[Any]:
    """Return the elements of a vector of plain bits: tuples of numbers as tuples, all others as `julia.Bits`.

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
    # Elements without bytes are none: their number would be the file's word alone.
    return [julia.Bits(array.type, array.data[i * size : (i + 1) * size]) for i in range(count if size else 0)]


def make_object_array(values: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of Python objects; NumPy would take lists among them for further axes."""
    result = np.empty(len(values), object)
    for i, value in enumerate(values):
        result[i] = value
    return result.reshape(shape)


def reverse_size(size: list[Any], offset: int) -> tuple[int, ...]:
    """Return Julia's size as a shape.

    Raises: FileFormatError if an extent is no whole number, negative or beyond 2^62, or if there are more than 32
    """
    if len(size) > 32:
        raise FileFormatError(f"an array has {len(size)} axes, more than 32", offset=offset)
    for extent in size:
        if isinstance(extent, bool) or not isinstance(extent, int) or not 0 <= extent < 2**62:
            raise FileFormatError(f"an array has the extent {extent!r}", offset=offset)
    if math.prod(size) >= 2**62:
        raise FileFormatError(f"an array has the size {tuple(size)}", offset=offset)
    return tuple(reversed(size))


def _align(array: np.ndarray) -> np.ndarray:
    """Copy an array whose first byte is at an odd place: frameworks refuse such arrays, or are slow on them."""
    if not array.flags.aligned:
        array = array.copy()
        array.flags.writeable = False
    return array


def _read_character(data: memoryview) -> julia.Char:
    # Julia keeps the UTF-8 bytes of a character in the upper bytes of four, the first byte highest.
    encoded = bytes(reversed(data)).rstrip(b"\0") or b"\0"
    try:
        text = encoded.decode()
    except UnicodeDecodeError:
        return julia.Char("")
    return julia.Char(text if len(text) == 1 else "")
