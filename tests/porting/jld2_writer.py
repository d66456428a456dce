"""A small writer of JLD2 files, for tests: superblock 2 at byte 512, committed types in the old and in the new form."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from luxport.porting.files.jld2.checksum import compute_lookup3

UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
BASE = 512
UINT8 = struct.pack("<BBBBIHH", 0x30, 0, 0, 0, 1, 0, 8)
INT64 = struct.pack("<BBBBIHH", 0x30, 8, 0, 0, 8, 0, 64)
BOOL = struct.pack("<BBBBIHH", 0x34, 0, 0, 0, 1, 0, 8)
FLOAT32 = struct.pack("<BBBBIHHBBBBI", 0x31, 0x20, 31, 0, 4, 0, 32, 23, 8, 0, 23, 127)
FLOAT64 = struct.pack("<BBBBIHHBBBBI", 0x31, 0x20, 63, 0, 8, 0, 64, 52, 11, 0, 52, 1023)
REFERENCE = struct.pack("<BBBBI", 0x37, 0, 0, 0, 8)
TEXT = struct.pack("<BBBBI", 0x39, 0x11, 1, 0, 16) + UINT8
REFERENCES = struct.pack("<BBBBI", 0x39, 0, 0, 0, 16) + REFERENCE
SCALAR = struct.pack("<BBBB", 2, 0, 0, 0)
NULL = struct.pack("<BBBB", 2, 0, 0, 2)


def opaque(size: int) -> bytes:
    return struct.pack("<BBBBI", 0x35, 0, 0, 0, size)


def fixed_text(size: int) -> bytes:
    return struct.pack("<BBBBI", 0x33, 0x11, 0, 0, size)


def compound(members: Sequence[tuple[str, bytes]]) -> bytes:
    """Return a record's datatype, with its members one after the other."""
    body, offset = b"", 0
    for name, datatype in members:
        body += name.encode() + b"\0" + bytes([offset]) + datatype
        offset += size_of(datatype)
    return struct.pack("<BBBBI", 0x36, len(members), 0, 0, offset) + body


def size_of(datatype: bytes) -> int:
    return struct.unpack_from("<I", datatype, 4)[0]


def simple(*shape: int) -> bytes:
    return struct.pack(f"<BBBB{len(shape)}Q", 2, len(shape), 0, 1, *shape)


def shared(address: int) -> bytes:
    return struct.pack("<BBQ", 3, 2, address)


DATATYPE = compound([("name", TEXT), ("parameters", REFERENCES)])


class JLD2Writer:
    """Appends objects and returns their addresses, counted from the superblock."""

    def __init__(self, form: str = "new") -> None:
        self._data = bytearray(48)
        self._form = form
        self._links: dict[str, int] = {}
        # The type of types is a value of itself.
        name = self.text("Core.DataType") + bytes(16)
        here = self._next()
        attribute = self.attribute("julia_type", shared(here), SCALAR, name, is_shared=True)
        self._datatype = self.object([(0x03, 0x40, DATATYPE), attribute])
        assert self._datatype == here

    def append(self, data: bytes) -> int:
        address = self._next()
        self._data += bytes(address - len(self._data)) + data
        return address

    def _next(self) -> int:
        return -(-len(self._data) // 8) * 8

    def object(self, messages: list[tuple[int, int, bytes]]) -> int:
        """Write an object header with these messages (kind, flags, body)."""
        body = b"".join(struct.pack("<BHB", kind, len(data), flags) + data for kind, flags, data in messages)
        header = b"OHDR" + struct.pack("<BBI", 2, 2, len(body)) + body
        return self.append(header + struct.pack("<I", compute_lookup3(header)))

    def heap(self, data: bytes, count: int) -> bytes:
        """Put data into a heap of its own and return its length and its reference."""
        padded = data + bytes(-len(data) % 8)
        collection = b"GCOL" + struct.pack("<IQHHIQ", 1, 16 + len(padded), 1, 1, 0, len(data)) + padded
        return struct.pack("<IQI", count, self.append(collection), 1)

    def text(self, text: str) -> bytes:
        return self.heap(text.encode(), len(text.encode()))

    def references(self, *addresses: int) -> bytes:
        return self.heap(struct.pack(f"<{len(addresses)}Q", *addresses), len(addresses)) if addresses else bytes(16)

    @staticmethod
    def attribute(
        name: str, datatype: bytes, dataspace: bytes, data: bytes, is_shared: bool = False
    ) -> tuple[int, int, bytes]:
        head = struct.pack("<BBHHH", 2, is_shared, len(name) + 1, len(datatype), len(dataspace))
        return 0x0C, 0, head + name.encode() + b"\0" + datatype + dataspace + data

    def type_record(self, name: str, *params: int) -> bytes:
        return self.text(name) + self.references(*params)

    def type_value(self, name: str, *params: int) -> int:
        """Write a Julia type as a dataset, which is how a parameter refers to it."""
        return self.scalar(shared(self._datatype), self.type_record(name, *params))

    def commit(
        self,
        record: bytes,
        datatype: bytes,
        *,
        fields: Sequence[tuple[str, int]] = (),
        empty: bool = False,
        written: bytes | None = None,
    ) -> int:
        """Write a committed type; ``fields`` are names and addresses of the fields' own committed types (0 for none).

        The old form names the types of the stored members only and leaves out fields without data.
        """
        messages = [(0x03, 0x40, datatype), self.attribute("julia_type", shared(self._datatype), SCALAR, record, True)]
        if written is not None:
            messages.append(self.attribute("written_type", shared(self._datatype), SCALAR, written, True))
        if empty:
            messages.append(self.attribute("empty", UINT8, SCALAR, b"\1"))
        addresses = struct.pack(f"<{len(fields)}Q", *(address for _, address in fields))
        if fields and self._form == "old":
            messages.append(self.attribute("field_datatypes", REFERENCE, simple(len(fields)), addresses))
        elif fields:
            names = b"".join(self.text(name) for name, _ in fields)
            messages.append(self.attribute("field_names", TEXT, simple(len(fields)), names))
            messages.append(self.attribute("field_types", REFERENCE, simple(len(fields)), addresses))
        return self.object(messages)

    def singleton(self, name: str, *params: int) -> int:
        """Commit a type without data, as that of a function."""
        return self.commit(self.type_record(name, *params), opaque(1), empty=True)

    def dataset(
        self, datatype: bytes, dataspace: bytes, layout: list[tuple[int, int, bytes]], *more: tuple[int, int, bytes]
    ) -> int:
        is_shared = len(datatype) == 10 and datatype[:2] == b"\3\2"
        return self.object([(0x01, 0, dataspace), *more, (0x03, 3 if is_shared else 1, datatype), *layout])

    def scalar(self, datatype: bytes, data: bytes) -> int:
        return self.dataset(datatype, SCALAR, [(0x08, 0, struct.pack("<BBH", 4, 0, len(data)) + data)])

    def null(self, datatype: bytes, *more: tuple[int, int, bytes]) -> int:
        return self.dataset(datatype, NULL, [(0x08, 0, struct.pack("<BBH", 4, 0, 0))], *more)

    def array(self, values: np.ndarray, datatype: bytes, *more: tuple[int, int, bytes], compact: bool = False) -> int:
        data = values.tobytes()
        if compact:
            layout = struct.pack("<BBH", 4, 0, len(data)) + data
        else:
            layout = struct.pack("<BBQQ", 4, 1, self.append(data), len(data))
        return self.dataset(datatype, simple(*values.shape), [(0x08, 0, layout)], *more)

    def chunked(
        self, values: np.ndarray, datatype: bytes, stored: bytes, filters: list[tuple[int, tuple[int, ...]]]
    ) -> int:
        """Write an array in one chunk, as JLD2 does when it compresses; filters are numbers and their values."""
        width = values.itemsize
        dims = (*values.shape, width)
        layout = struct.pack(
            f"<BBBBB{len(dims)}QBQIQ", 4, 2, 2, len(dims), 8, *dims, 1, len(stored), 0, self.append(stored)
        )
        pipeline = struct.pack("<BB", 2, len(filters))
        for number, used in filters:
            name = struct.pack("<H", 0) if number >= 256 else b""
            pipeline += struct.pack("<H", number) + name + struct.pack(f"<HH{len(used)}I", 0, len(used), *used)
        return self.dataset(datatype, simple(*values.shape), [(0x0B, 0, pipeline), (0x08, 0, layout)])

    def vector_of_references(self, *addresses: int) -> int:
        values = np.array(addresses, "<u8")
        any_type = struct.pack("<Q", self.type_value("Core.Any"))
        return self.array(values, REFERENCE, self.attribute("julia_type", REFERENCE, SCALAR, any_type))

    def group(self, links: dict[str, int]) -> int:
        info = (0x02, 0, struct.pack("<BBQQ", 0, 0, UNDEFINED, UNDEFINED))
        messages = [info, (0x0A, 0, b"\0\0")]
        for name, address in links.items():
            text = name.encode()
            messages.append((0x06, 0, struct.pack("<BBBB", 1, 0x10, 1, len(text)) + text + struct.pack("<Q", address)))
        return self.object(messages)

    def finish(self, **links: int) -> bytes:
        """Return the file, whose root group has these objects."""
        root = self.group({**links, "_types": self.group({"00000001": self._datatype})})
        block = b"\x89HDF\r\n\x1a\n" + struct.pack("<BBBB", 2, 8, 8, 0)
        block += struct.pack("<QQQQ", BASE, UNDEFINED, len(self._data) + BASE, root)
        self._data[:48] = block + struct.pack("<I", compute_lookup3(block))
        start = b"HDF5-based Julia Data Format, version 0.2.0\0 (Julia 1.10.5 64-bit LE)\0"
        return start.ljust(BASE, b"\0") + bytes(self._data)
