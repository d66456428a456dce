"""Encode HDF5's datatypes, dataspaces, layouts and attributes as bytes, which the writer puts into object headers."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

__all__ = [
    "EMPTY",
    "FILL",
    "NULL",
    "PLAIN",
    "REFERENCE",
    "REFERENCES",
    "SCALAR",
    "TEXT",
    "UINT8",
    "write_attribute",
    "write_compact_layout",
    "write_compound",
    "write_datatype_message",
    "write_shared",
    "write_simple",
    "count_bytes",
]

UINT8 = struct.pack("<BBBBIHH", 0x30, 0, 0, 0, 1, 0, 8)
REFERENCE = struct.pack("<BBBBI", 0x37, 0, 0, 0, 8)
TEXT = struct.pack("<BBBBI", 0x39, 0x11, 1, 0, 16) + UINT8
REFERENCES = struct.pack("<BBBBI", 0x39, 0, 0, 0, 16) + REFERENCE
EMPTY = struct.pack("<BBBBI", 0x35, 0, 0, 0, 1)
SCALAR = struct.pack("<BBBB", 2, 0, 0, 0)
NULL = struct.pack("<BBBB", 2, 0, 0, 2)


def _write_number(kind: int, size: int) -> bytes:
    return struct.pack("<BBBBIHH", kind & 0xFF, kind >> 8, 0, 0, size, 0, 8 * size)


def _write_float(size: int, exponent: int, mantissa: int) -> bytes:
    bits = 8 * size
    head = struct.pack("<BBBBIHH", 0x31, 0x20, bits - 1, 0, size, 0, bits)
    return head + struct.pack("<BBBBI", mantissa, exponent, 0, mantissa, (1 << exponent - 1) - 1)


PLAIN: Mapping[str, bytes] = {
    "Core.Bool": _write_number(0x34, 1),
    **{f"Core.Int{8 * size}": _write_number(0x0830, size) for size in (1, 2, 4, 8)},
    **{f"Core.UInt{8 * size}": _write_number(0x30, size) for size in (1, 2, 4, 8)},
    "Core.Float16": _write_float(2, 5, 10),
    "Core.Float32": _write_float(4, 8, 23),
    "Core.Float64": _write_float(8, 11, 52),
}
"""The datatypes of Julia's numbers, which need no committed type."""

FILL = (0x05, 0, b"\3\x09")


def write_compound(members: Sequence[tuple[str, bytes]]) -> bytes:
    """Return the datatype of a record whose members follow one another without gaps."""
    size = sum(count_bytes(datatype) for _, datatype in members)
    width = (size.bit_length() + 7) // 8
    parts, offset = [], 0
    for name, datatype in members:
        parts.append(name.encode() + b"\0" + offset.to_bytes(width, "little") + datatype)
        offset += count_bytes(datatype)
    return struct.pack("<BHBI", 0x36, len(members), 0, size) + b"".join(parts)


def count_bytes(datatype: bytes) -> int:
    """Return the number of bytes of a value of a datatype."""
    return struct.unpack_from("<I", datatype, 4)[0]


def write_shared(address: int) -> bytes:
    """Return a reference to the committed type at an address, which may stand in place of a datatype."""
    return struct.pack("<BBQ", 3, 2, address)


def write_datatype_message(datatype: bytes) -> tuple[int, int, bytes]:
    """Return the message of an object header that gives the object's datatype: kind, flags, body."""
    return 0x03, 3 if datatype[:2] == b"\3\2" else 1, datatype


def write_simple(*shape: int) -> bytes:
    """Return the dataspace of an array of a shape."""
    return struct.pack(f"<BBBB{len(shape)}Q", 2, len(shape), 0, 1, *shape)


def write_compact_layout(data: bytes) -> bytes:
    """Return the layout of data that are stored in the object header itself."""
    return struct.pack("<BBH", 4, 0, len(data)) + data


def write_attribute(
    name: str, datatype: bytes, dataspace: bytes, data: bytes, is_shared: bool = False
) -> tuple[int, int, bytes]:
    """Return the message of an object header that holds an attribute, a small named value: kind, flags, body."""
    head = struct.pack("<BBHHH", 2, is_shared, len(name) + 1, len(datatype), len(dataspace))
    return 0x0C, 0, head + name.encode() + b"\0" + datatype + dataspace + data
