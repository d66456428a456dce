"""Parse HDF5's descriptions of datatypes, as far as JLD2 uses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from luxport.porting.errors import FileFormatError, NotReadError
from luxport.porting.files.source import Source

__all__ = [
    "ArrayOf",
    "Compound",
    "Datatype",
    "Member",
    "Number",
    "Opaque",
    "Reference",
    "Shared",
    "Text",
    "VariableLength",
    "parse_datatype",
]

_CLASSES = ("number", "floating-point number", "time", "string", "bit field", "opaque", "compound", "reference",
            "enumeration", "variable length", "array")  # fmt: skip
_FLOATS = {2: (10, 5, 15), 4: (23, 8, 127), 8: (52, 11, 1023)}
_DEEPEST = 32


@dataclass(frozen=True)
class Number:
    """A number or a truth value; ``dtype`` is NumPy's dtype, None for integers of 128 bits."""

    size: int
    dtype: np.dtype | None
    signed: bool = False


@dataclass(frozen=True)
class Text:
    """Text in a fixed number of bytes."""

    size: int
    # 0: ended by a zero byte, 1: padded with zero bytes, 2: padded with spaces.
    padding: int


@dataclass(frozen=True)
class Opaque:
    """Bytes whose meaning only the Julia type gives."""

    size: int


@dataclass(frozen=True)
class Reference:
    """The address of another object."""

    size: int = 8


@dataclass(frozen=True)
class VariableLength:
    """Elements in a heap; ``text`` is True if they are the bytes of a string."""

    size: int
    element: Datatype
    text: bool


@dataclass(frozen=True)
class Member:
    """One field of a `Compound`."""

    name: str
    offset: int
    type: Datatype


@dataclass(frozen=True)
class Compound:
    """A record."""

    size: int
    members: tuple[Member, ...]


@dataclass(frozen=True)
class ArrayOf:
    """A small array of fixed shape inside a record."""

    size: int
    shape: tuple[int, ...]
    element: Datatype


@dataclass(frozen=True)
class Shared:
    """A reference to a datatype that is an object of its own, at an address."""

    address: int


Datatype: TypeAlias = Number | Text | Opaque | Reference | VariableLength | Compound | ArrayOf | Shared


def parse_datatype(source: Source, offset: int, limit: int, depth: int = 0) -> tuple[Datatype, int]:
    """Parse a datatype, and return it with the offset of the byte after it, which is at most ``limit``.

    Raises: FileFormatError if it is malformed; NotReadError if it is of a kind that JLD2 does not use
    """
    if depth > _DEEPEST:
        raise FileFormatError(f"a datatype is nested more than {_DEEPEST} deep", offset=offset)
    kind_and_version, low, middle, high, size = source.unpack("BBBBI", offset, "a datatype")
    kind, version = kind_and_version & 15, kind_and_version >> 4
    if version == 0:  # written by JLD2 0.4.51 and 0.4.52, which ignore it when they read
        version = 3
    if not 1 <= version <= 5 or kind >= len(_CLASSES):
        raise NotReadError(f"a datatype of class {kind}, version {version} is unknown", offset=offset)
    # Only an empty string has no bytes.
    if size == 0 and _CLASSES[kind] != "string":
        raise FileFormatError("a datatype has no bytes", offset=offset)
    after = offset + 8
    found: Datatype
    match _CLASSES[kind]:
        case "number":
            found = _parse_integer(source, after, size, low, offset)
            after += 4
        case "floating-point number":
            found = _parse_float(source, after, size, low, offset)
            after += 12
        case "bit field":
            if size != 1:
                raise FileFormatError(f"a bit field of {size} bytes; a Bool has one", offset=offset)
            found = Number(1, np.dtype(np.bool_))
            after += 4
        case "string":
            found = Text(size, low & 15)
        case "opaque":
            found = Opaque(size)
            # A tag of `low` bytes describes the data; JLD2 leaves it empty.
            after += low
        case "reference":
            if size != 8:
                raise FileFormatError(f"a reference of {size} bytes; JLD2's have 8", offset=offset)
            found = Reference()
        case "compound":
            found, after = _parse_compound(source, after, limit, size, low | middle << 8, version, depth)
        case "variable length":
            if size != 16:
                raise FileFormatError(f"a variable length of {size} bytes; JLD2's have 16", offset=offset)
            element, after = parse_datatype(source, after, limit, depth + 1)
            found = VariableLength(size, element, low & 15 == 1)
        case "array":
            found, after = _parse_array(source, after, limit, size, version, depth)
        case other:
            raise NotReadError(f"a datatype of the class {other} is not read", offset=offset)
    if after > limit:
        raise FileFormatError("a datatype runs over its end", offset=offset)
    return found, after


def _parse_integer(source: Source, after: int, size: int, bits: int, offset: int) -> Number:
    bit_offset, precision = source.unpack("HH", after, "a datatype")
    if size not in (1, 2, 4, 8, 16) or bit_offset or precision != 8 * size:
        raise FileFormatError(f"an integer of {size} bytes has {precision} bits", offset=offset)
    signed = bool(bits & 8)
    if size == 16:
        if bits & 1:
            raise NotReadError("a big-endian integer of 128 bits is not read", offset=offset)
        return Number(16, None, signed)
    return Number(size, np.dtype(f"{'>' if bits & 1 else '<'}{'i' if signed else 'u'}{size}"), signed)


def _parse_float(source: Source, after: int, size: int, bits: int, offset: int) -> Number:
    bit_offset, precision, _, exponent, _, mantissa, bias = source.unpack("HHBBBBI", after, "a datatype")
    if size not in _FLOATS or bit_offset or precision != 8 * size or (mantissa, exponent, bias) != _FLOATS[size]:
        raise NotReadError(f"a floating-point number of {size} bytes is not of an IEEE 754 format", offset=offset)
    return Number(size, np.dtype(f"{'>' if bits & 1 else '<'}f{size}"))


def _parse_compound(
    source: Source, after: int, limit: int, size: int, count: int, version: int, depth: int
) -> tuple[Compound, int]:
    members = []
    width = 4 if version < 3 else 1 if size < 0x100 else 2 if size < 0x10000 else 3 if size < 0x1000000 else 4
    for _ in range(count):
        start = after
        name, end = b"", -1
        # The whole view is charged as work, and a large record has thousands of names, nearly all of them short.
        for longest in (64, 4096):
            if end < 0:
                name = bytes(source.view(after, min(limit - after, longest), "the name of a field"))
                end = name.find(b"\0")
        if end < 0:
            raise FileFormatError("the name of a field has no end", offset=after)
        after += end + 1 if version >= 3 else (end + 8) // 8 * 8
        place = source.read_unsigned(after, width, "a field")
        after += width
        dims: tuple[int, ...] = ()
        if version == 1:
            rank = source.read_unsigned(after, 1)
            dims = source.unpack("4I", after + 12, "a field")[: min(rank, 4)]
            after += 28
        type, after = parse_datatype(source, after, limit, depth + 1)
        if dims:
            type = _shape_elements(type, dims, start)
        if place + count_bytes(type, start) > size:
            raise FileFormatError("a field of a record is outside the record", offset=start)
        try:
            members.append(Member(name[:end].decode(), place, type))
        except UnicodeDecodeError:
            raise FileFormatError("the name of a field is no UTF-8", offset=start) from None
    return Compound(size, tuple(members)), after


def _parse_array(source: Source, after: int, limit: int, size: int, version: int, depth: int) -> tuple[ArrayOf, int]:
    (rank,) = source.unpack("B", after, "a datatype")
    start = after
    after += 1 if version >= 3 else 4
    dims = source.unpack(f"{rank}I", after, "a datatype")
    # Before version 3, a permutation of the axes follows, which HDF5 never used.
    after += 4 * rank * (1 if version >= 3 else 2)
    element, after = parse_datatype(source, after, limit, depth + 1)
    found = _shape_elements(element, dims, start)
    if found.size != size or rank > 32:
        raise FileFormatError("the size of an array inside a record is not that of its elements", offset=start)
    return found, after


def _shape_elements(element: Datatype, dims: tuple[int, ...], offset: int) -> ArrayOf:
    size = count_bytes(element, offset)
    for extent in dims:
        size *= extent
    if not 0 < size < 2**32:
        raise FileFormatError(f"an array of shape {dims} inside a record is empty or too large", offset=offset)
    return ArrayOf(size, dims, element)


def count_bytes(type: Datatype, offset: int) -> int:
    """Return the number of bytes of an element.

    Raises: FileFormatError for a shared datatype, which cannot be inside another datatype
    """
    if isinstance(type, Shared):
        raise FileFormatError("a shared datatype inside another", offset=offset)
    return type.size
