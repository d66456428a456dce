"""Parse BSON bytes into plain documents: dicts, lists, strings, numbers and views of binary data."""

from __future__ import annotations

import struct
from typing import Any

from luxport.porting.errors import FileFormatError
from luxport.porting.files.source import Source

__all__ = ["FOREIGN_TYPES", "Binary", "Document", "DocumentList", "TooDeep", "parse"]

FOREIGN_TYPES = {
    0x06: "undefined",
    0x07: "ObjectId",
    0x09: "date",
    0x0B: "regular expression",
    0x0C: "DBPointer",
    0x0D: "JavaScript",
    0x0E: "symbol",
    0x0F: "JavaScript with scope",
    0x11: "timestamp",
    0x13: "Decimal128",
    0x7F: "MaxKey",
    0xFF: "MinKey",
}
"""Types of BSON values that databases write and BSON.jl never does."""

# One level of a model takes three levels of documents: the struct, the list of its fields, the field.
_MAX_DEPTH = 1000
_LONGEST_KEY = 65536


class Document(dict[str, Any]):
    """A BSON document, and the offset where it begins."""

    __slots__ = ("offset",)
    offset: int


class DocumentList(list[Any]):
    """A BSON array, and the offset where it begins."""

    __slots__ = ("offset",)
    offset: int


class Binary:
    """A view of binary data, and the offset where they begin."""

    __slots__ = ("data", "offset")

    def __init__(self, data: memoryview, offset: int) -> None:
        self.data: memoryview = data
        self.offset: int = offset


class TooDeep:
    """Stands in place of a document that is nested too deep to be read."""

    reason: str = f"it cannot be read: documents are nested more than {_MAX_DEPTH} deep"


def parse(source: Source, offset: int = 0) -> tuple[Document, int]:
    """Parse one document, and return it with the offset of the byte after it.

    Raises: FileFormatError if a document is longer than its parent, a type is unknown, or a text is no UTF-8
    """
    root = Document()
    root.offset = offset
    source.view(offset, 4, "a document")
    data, raw = source.data, source.raw
    end = _find_end(data, offset, source.size)
    # Each level has the container that is being filled, and the offset of its closing byte. An explicit stack is
    # used, since deeply nested files would exhaust Python's. No work is charged, since each byte is read once.
    levels: list[tuple[Document | DocumentList, int]] = [(root, end - 1)]
    container: Document | DocumentList = root
    last, place = end - 1, offset + 4
    while True:
        if place > last:
            raise FileFormatError("an element runs over the end of its document", offset=place)
        kind = data[place]
        if kind == 0:
            if place != last:
                raise FileFormatError("a document ends before the end that its size says", offset=place)
            levels.pop()
            if not levels:
                return root, end
            container, last = levels[-1]
            place += 1
            continue
        # Some files have millions of elements: for the most frequent kinds, this avoids function calls.
        value_at = raw.find(0, place + 1, min(place + _LONGEST_KEY, last)) + 1 if raw is not None else 0
        if raw is None or not value_at:
            key, value_at = _read_key(source, place + 1, last)
        elif type(container) is DocumentList:  # whose keys are the positions of the elements
            key = ""
        else:
            key = _decode_text(raw[place + 1 : value_at - 1], place + 1)
        inside = container
        if kind in (0x03, 0x04):
            end_at = _find_end(data, value_at, last)
            if len(levels) < _MAX_DEPTH:
                value: Any = Document() if kind == 0x03 else DocumentList()
                value.offset = value_at
                container, last, place = value, end_at - 1, value_at + 4
                levels.append((container, last))
            else:
                value, place = TooDeep(), end_at
        elif kind == 0x02:
            value, place = _read_string(data, value_at, last)
        else:
            value, place = _read_plain(data, kind, value_at, last)
        if isinstance(inside, list):
            inside.append(value)
        else:
            inside[key] = value


_INT = struct.Struct("<i")
_NUMBERS = {0x01: struct.Struct("<d"), 0x08: struct.Struct("<B"), 0x10: _INT, 0x12: struct.Struct("<q")}


def _read_number(layout: struct.Struct, data: memoryview, offset: int, limit: int, what: str) -> Any:
    if offset + layout.size > limit:
        raise FileFormatError(f"{what} runs over the end of its document", offset=offset)
    return layout.unpack_from(data, offset)[0]


def _find_end(data: memoryview, offset: int, limit: int) -> int:
    """Return the offset after the document at ``offset``, which must not be greater than ``limit``."""
    size = _read_number(_INT, data, offset, limit, "a document")
    if size < 5 or offset + size > limit:
        raise FileFormatError(
            f"a document says that it has {size} bytes where {limit - offset} are left: truncated or damaged",
            offset=offset,
        )
    if data[offset + size - 1] != 0:
        raise FileFormatError("a document does not end with a zero byte where its size says", offset=offset)
    return offset + size


def _read_key(source: Source, offset: int, limit: int) -> tuple[str, int]:
    """Read a key that ends with a zero byte, and return it with the offset of the byte after it."""
    # Most keys are short. A bounded window keeps a key without an end from being searched for in the whole file.
    window = bytes(source.data[offset : min(offset + 64, limit)])
    end = window.find(b"\0")
    if end < 0:
        window = bytes(source.data[offset : min(offset + 65536, limit)])
        end = window.find(b"\0")
    if end < 0:
        raise FileFormatError("a key has no end", offset=offset)
    return _decode_text(window[:end], offset), offset + end + 1


def _decode_text(data: bytes, offset: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FileFormatError("a text is no UTF-8", offset=offset) from None


def _read_plain(data: memoryview, kind: int, offset: int, limit: int) -> tuple[Any, int]:
    """Read a number, a truth value, binary data or null, and return it with the offset of the byte after it."""
    if layout := _NUMBERS.get(kind):
        value = _read_number(layout, data, offset, limit, "a number")
        if kind == 0x08:
            if value > 1:
                raise FileFormatError(f"a truth value is {value}", offset=offset)
            value = bool(value)
        return value, offset + layout.size
    if kind == 0x05:
        size = _read_number(_INT, data, offset, limit, "binary data")
        if size < 0 or offset + 5 + size > limit:
            raise FileFormatError(
                f"binary data of {size} bytes where {limit - offset - 5} are left: truncated or damaged", offset=offset
            )
        return Binary(data[offset + 5 : offset + 5 + size], offset + 5), offset + 5 + size
    if kind == 0x0A:
        return None, offset
    if kind in FOREIGN_TYPES:
        raise FileFormatError(
            f"this is a MongoDB document (it has a value of BSON's type {FOREIGN_TYPES[kind]}), not a file of BSON.jl",
            offset=offset,
        )
    raise FileFormatError(f"BSON has no type 0x{kind:02x}: damaged", offset=offset)


def _read_string(data: memoryview, offset: int, limit: int) -> tuple[str, int]:
    size = _read_number(_INT, data, offset, limit, "a text")
    after = offset + 4 + size
    if size < 1 or after > limit:
        raise FileFormatError(
            f"a text of {size} bytes where {limit - offset - 4} are left: truncated or damaged", offset=offset
        )
    if data[after - 1] != 0:
        raise FileFormatError("a text does not end with a zero byte", offset=offset)
    return _decode_text(bytes(data[offset + 4 : after - 1]), offset), after
