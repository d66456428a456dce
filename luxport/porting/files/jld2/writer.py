"""Write JLD2 files with named tuples, tuples, arrays and numbers, in the form of JLD2.jl since 0.5.

The Julia types of `luxport.porting.julia` are written with the values, so that Julia reads values of these types.
Arrays have their axes in luxport's order, the reverse of Julia's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from luxport.porting import julia
from luxport.porting.files.jld2.checksum import compute_lookup3
from luxport.porting.files.jld2.datatype_bytes import (
    EMPTY,
    FILL,
    NULL,
    PLAIN,
    REFERENCE,
    REFERENCES,
    SCALAR,
    TEXT,
    UINT8,
    write_attribute,
    write_compact_layout,
    write_compound,
    write_datatype_message,
    write_shared,
    write_simple,
)
from luxport.porting.files.jld2.types_of_values import (
    STRING,
    SYMBOL,
    find_element,
    find_type,
    has_data,
    list_members,
    measure_memory,
)
from luxport.version import __version__

__all__ = ["write"]

_BASE = 512
_UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
_LARGEST_INLINE = 1024
"""Records that take more bytes in Julia's memory are written as objects of their own."""
_LARGEST_COMPACT = 8192
_LARGEST_DESCRIPTION = 48_000
"""HDF5 limits a message to 64 KiB; a record with a longer description than this stores its members by reference."""
_LARGEST_TUPLE = 4000
_HEAP = 4096
"""The minimum size of a heap in bytes."""


def write(file: BinaryIO, values: Mapping[str, julia.Value]) -> None:
    """Write values under names, by which JLD2.jl's ``load`` finds them.

    Raises: TypeError with the path of a value that cannot be written; ValueError for a tuple that is too long for
            HDF5, and for a name that JLD2.jl would not find
    """
    for name in values:
        if name in ("", "_types") or "/" in name:
            raise ValueError(f"JLD2.jl finds no entry whose name is '' or '_types' or contains '/', got {name!r}")
    writer = _Writer()
    links = {name: writer.write_dataset(value, name) for name, value in values.items()}
    writer.finish(file, links)


class _Field(NamedTuple):
    """How a type is stored inside another: its datatype (None for no bytes) and its committed type (0 for none)."""

    datatype: bytes | None
    committed: int


_BY_REFERENCE = _Field(REFERENCE, 0)


class _Writer:
    """Appends objects, and returns their addresses, which count from the superblock."""

    def __init__(self) -> None:
        self._pieces: list[Any] = []
        self._size = 0
        self._heap: bytearray | None = None
        self._heap_address = self._heap_used = self._heap_objects = 0
        self._committed: dict[Any, tuple[int, bytes]] = {}
        self._fields: dict[Any, _Field] = {}
        self._layouts: dict[Any, list[tuple[str, _Field]]] = {}
        self._parameters: dict[Any, int] = {}
        # An array that is in several places is one object in Julia, too. It is kept alive, since its `id` is the key.
        self._arrays: dict[int, tuple[int, Any]] = {}
        self._append(bytes(48))
        self._datatype = 0
        name = self._write_text("Core.DataType") + bytes(16)
        # DataType, the type of all types, is described by a value of itself.
        self._datatype = self._size
        self._types = [self._commit_header(write_compound([("name", TEXT), ("parameters", REFERENCES)]), name)]

    # Bytes.

    def _append(self, data: Any, aligned: bool = False) -> int:
        if aligned and self._size % 8:
            self._append(bytes(-self._size % 8))
        address = self._size
        self._pieces.append(data)
        self._size += len(data)
        return address

    def _write_object(self, messages: Iterable[tuple[int, int, bytes]], gap: bytes = b"") -> int:
        """Write an object header with messages (kind, flags, body), and return its address."""
        parts = []
        for kind, flags, body in messages:
            if len(body) >= 1 << 16:
                raise ValueError(f"JLD2 expects descriptions below 64 KiB, got {len(body)} bytes: shorten the names")
            parts.append(struct.pack("<BHB", kind, len(body), flags) + body)
        content = b"".join(parts) + gap
        header = b"OHDR" + struct.pack("<BBI", 2, 2, len(content)) + content
        return self._append(header + struct.pack("<I", compute_lookup3(header)))

    def _store_in_heap(self, data: bytes, count: int) -> bytes:
        """Put data of variable length into a heap, and return the reference that a record contains instead."""
        needed = 16 + len(data) + -len(data) % 8
        full = self._heap is None or self._heap_used + needed > len(self._heap) or self._heap_objects >= 60_000
        if self._heap is None or full:
            self._close_heap()
            self._heap = bytearray(max(_HEAP, 16 + needed))
            self._heap[:16] = b"GCOL" + struct.pack("<IQ", 1, len(self._heap))
            self._heap_address = self._append(self._heap, aligned=True)
            self._heap_used, self._heap_objects = 16, 0
        self._heap_objects += 1
        place = self._heap_used
        self._heap[place : place + 16] = struct.pack("<HHIQ", self._heap_objects, 1, 0, len(data))
        self._heap[place + 16 : place + 16 + len(data)] = data
        self._heap_used += needed
        return struct.pack("<IQI", count, self._heap_address, self._heap_objects)

    def _close_heap(self) -> None:
        """Write the size of the free space at the end of the heap."""
        if self._heap is not None and len(self._heap) - self._heap_used >= 16:
            free = struct.pack("<HHIQ", 0, 0, 0, len(self._heap) - self._heap_used)
            self._heap[self._heap_used : self._heap_used + 16] = free

    def _write_text(self, text: str) -> bytes:
        data = text.encode()
        return self._store_in_heap(data, len(data))

    # Types.

    def _commit_header(self, datatype: bytes, record: bytes, *attributes: tuple[int, int, bytes]) -> int:
        described = write_attribute("julia_type", write_shared(self._datatype), SCALAR, record, is_shared=True)
        return self._write_object([(0x03, 0x40, datatype), described, *attributes])

    def _write_type_record(self, type: julia.TypeName) -> bytes:
        name, params = type.path, type.params
        if name == "Core.Tuple" and params:
            # As JLD2.jl does: NTuple for two equal types, Tuple for all others.
            pair = len(params) == 2 and params[0] == params[1]
            name, params = ("NTuple", (2, params[0])) if pair else ("Tuple", params)
        addresses = [self._write_parameter(param) for param in params]
        return self._write_text(name) + self._write_references(addresses)

    def _write_references(self, addresses: Sequence[int]) -> bytes:
        data = struct.pack(f"<{len(addresses)}Q", *addresses)
        return self._store_in_heap(data, len(addresses)) if addresses else bytes(16)

    def _write_parameter(self, param: Any) -> int:
        """Return the address of a type's parameter: that of a committed type, or that of a value."""
        key = (type(param), param)
        if key not in self._parameters:
            if not isinstance(param, julia.TypeName):
                address = self.write_dataset(param, "a parameter of a type")
            else:
                field = self._describe_field(param)
                address = field.committed if field.committed and field.datatype is not None else 0
                if not address:
                    address = self._write_scalar(write_shared(self._datatype), self._write_type_record(param))
            self._parameters[key] = address
        return self._parameters[key]

    def _describe_field(self, type: julia.TypeName) -> _Field:
        """Return how a type is stored inside another."""
        if type not in self._fields:
            plain = PLAIN.get(type.path)
            if plain is not None:
                field = _Field(plain, 0)
            elif type == STRING:
                field = _Field(TEXT, 0)
            elif type.path == "Core.Array" or measure_memory(type)[0] > _LARGEST_INLINE:
                field = _BY_REFERENCE
            else:
                address, datatype = self._commit(type)
                field = _Field(datatype if has_data(type) else None, address)
            self._fields[type] = field
        return self._fields[type]

    def _commit(self, type: julia.TypeName) -> tuple[int, bytes]:
        """Write a committed type, and return its address and its datatype."""
        if type not in self._committed:
            datatype, attributes = TEXT, []
            if not has_data(type):
                datatype, attributes = EMPTY, [write_attribute("empty", UINT8, SCALAR, b"\1")]
            elif type != SYMBOL:
                layout = self._lay_out(type)
                datatype = write_compound(
                    [(name, field.datatype) for name, field in layout if field.datatype is not None]
                )
                if any(field.committed for _, field in layout):
                    names = b"".join(self._write_text(name) for name, _ in layout)
                    addresses = struct.pack(f"<{len(layout)}Q", *(field.committed for _, field in layout))
                    attributes = [
                        write_attribute("field_names", TEXT, write_simple(len(layout)), names),
                        write_attribute("field_types", REFERENCE, write_simple(len(layout)), addresses),
                    ]
            record = self._write_type_record(type)
            self._committed[type] = self._commit_header(datatype, record, *attributes), datatype
            self._types.append(self._committed[type][0])
        return self._committed[type]

    def _lay_out(self, type: julia.TypeName) -> list[tuple[str, _Field]]:
        """Return the names of a record's members and how each is stored: by reference if the record gets too long."""
        if type not in self._layouts:
            names, types = list_members(type)
            if len(names) > _LARGEST_TUPLE:
                raise ValueError(f"JLD2 expects at most {_LARGEST_TUPLE} entries side by side, got {len(names)}")
            fields = [self._describe_field(inner) for inner in types]
            if sum(len(field.datatype or b"") + 40 for field in fields) > _LARGEST_DESCRIPTION:
                fields = [_BY_REFERENCE if field.committed and field.datatype else field for field in fields]
            self._layouts[type] = list(zip(names, fields, strict=True))
        return self._layouts[type]

    # Values.

    def write_dataset(self, value: julia.Value, path: str) -> int:
        """Write a value as an object of its own, and return its address."""
        if isinstance(value, np.ndarray):
            return self._write_array(value, path)
        type = find_type(value, path)
        if isinstance(value, str):
            data = value.encode()
            return self._write_scalar(struct.pack("<BBBBI", 0x33, 0x11, 0, 0, len(data)), data)
        plain = PLAIN.get(type.path)
        if plain is not None:
            return self._write_scalar(plain, self._pack(type, value, path))
        address, _ = self._commit(type)
        if not has_data(type):
            return self._write_object(
                [
                    FILL,
                    (0x01, 0, NULL),
                    write_datatype_message(write_shared(address)),
                    (0x08, 0, write_compact_layout(b"")),
                ]
            )
        return self._write_scalar(write_shared(address), self._pack(type, value, path))

    def _pack(self, type: julia.TypeName, value: Any, path: str) -> bytes:
        """Return the bytes of a value of this type inside a record."""
        if not has_data(type):
            return b""
        if type.path in PLAIN or type.path == "Base.Complex":
            return np.asarray(value).astype(np.asarray(value).dtype.newbyteorder("<")).tobytes()
        if type in (STRING, SYMBOL):
            return self._write_text(value if isinstance(value, str) else value.name)
        parts = []
        entries = value.values if isinstance(value, julia.NamedTuple) else value
        for (name, field), inner, entry in zip(self._lay_out(type), list_members(type)[1], entries, strict=True):
            here = f"{path}.{name}"
            if field == _BY_REFERENCE:
                parts.append(struct.pack("<Q", self.write_dataset(entry, here)))
            else:
                parts.append(self._pack(inner, entry, here))
        return b"".join(parts)

    def _write_scalar(self, datatype: bytes, data: bytes) -> int:
        layout = write_compact_layout(data) if len(data) < _LARGEST_COMPACT else self._write_contiguous_layout(data)
        return self._write_object([FILL, (0x01, 0, SCALAR), write_datatype_message(datatype), (0x08, 0, layout)])

    def _write_array(self, array: np.ndarray[Any, Any], path: str) -> int:
        if id(array) in self._arrays:
            return self._arrays[id(array)][0]
        element = find_element(array.dtype, path)
        if element.path == "Base.Complex":
            datatype = write_shared(self._commit(element)[0])
        else:
            datatype = PLAIN[element.path]
        stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        data: Any = stored.reshape(-1).view(np.uint8).data if stored.size else b""
        layout = self._write_contiguous_layout(data) if len(data) else write_compact_layout(b"")
        messages = [FILL, (0x01, 0, write_simple(*array.shape) if array.ndim else write_simple(1))]
        if not array.ndim:
            messages.append(write_attribute("dimensions", PLAIN["Core.Int64"], write_simple(0), b""))
        address = self._write_object([*messages, write_datatype_message(datatype), (0x08, 0, layout)])
        self._arrays[id(array)] = address, array
        return address

    def _write_contiguous_layout(self, data: Any) -> bytes:
        return struct.pack("<BBQQ", 4, 1, self._append(data, aligned=True), len(data))

    # Groups and the file.

    def _write_group(self, links: Mapping[str, int]) -> int:
        messages = [(0x02, 0, struct.pack("<BBQQ", 0, 0, _UNDEFINED, _UNDEFINED)), (0x0A, 0, b"\0\0")]
        for name, address in links.items():
            text = name.encode()
            link = struct.pack("<BBBH", 1, 0x11, 1, len(text)) + text + struct.pack("<Q", address)
            messages.append((0x06, 0, link))
        # Space in which JLD2.jl may add links later: an empty message, and room for a continuation.
        return self._write_object(messages, struct.pack("<BHB", 0, 44, 0) + bytes(44 + 20))

    def finish(self, file: BinaryIO, links: Mapping[str, int]) -> None:
        types = self._write_group({f"{i:08d}": address for i, address in enumerate(self._types, start=1)})
        root = self._write_group({**links, "_types": types})
        self._close_heap()
        block = b"\x89HDF\r\n\x1a\n" + struct.pack("<BBBB", 2, 8, 8, 0)
        block += struct.pack("<QQQQ", _BASE, _UNDEFINED, self._size + _BASE, root)
        self._pieces[0] = block + struct.pack("<I", compute_lookup3(block))
        title = f"HDF5-based Julia Data Format, version 0.2.0\0 (luxport {__version__})\0"
        file.write(title.encode().ljust(_BASE, b"\0"))
        for piece in self._pieces:
            file.write(piece)
