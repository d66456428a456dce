"""Write BSON with BSON.jl's tags for tests: documents that BSON.jl writes, and ones that it never would."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np


class Int32(NamedTuple):
    """A number written as four bytes."""

    value: int


def bson(document: dict[str, Any]) -> bytes:
    """Return a document; None, bool, int, Int32, float, str, bytes, dict and list have forms in BSON."""
    body = b"".join(_element(key, value) for key, value in document.items())
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def _element(key: str, value: Any) -> bytes:
    kind, data = _value(value)
    return bytes([kind]) + key.encode() + b"\0" + data


def _value(value: Any) -> tuple[int, bytes]:
    match value:
        case None:
            return 0x0A, b""
        case bool():
            return 0x08, bytes([value])
        case Int32():
            return 0x10, struct.pack("<i", value.value)
        case int():
            return 0x12, struct.pack("<q", value)
        case float():
            return 0x01, struct.pack("<d", value)
        case str():
            text = value.encode() + b"\0"
            return 0x02, struct.pack("<i", len(text)) + text
        case bytes():
            return 0x05, struct.pack("<iB", len(value), 0) + value
        case dict():
            return 0x03, bson(value)
        case list():
            return 0x04, bson({str(i): item for i, item in enumerate(value)})
        case _:
            raise TypeError(type(value))


def symbol(name: str) -> dict[str, Any]:
    return {"tag": "symbol", "name": name}


def datatype(path: str, *params: Any) -> dict[str, Any]:
    return {"tag": "datatype", "params": list(params), "name": path.split(".")}


def struct_of(type: Any, *fields: Any) -> dict[str, Any]:
    return {"tag": "struct", "type": type, "data": list(fields)}


def bits_of(path: str, data: bytes) -> dict[str, Any]:
    return {"tag": "struct", "type": datatype(path), "data": data}


def function(path: str) -> dict[str, Any]:
    """Return a function by name: a struct without fields, whose type's name begins with ``#``."""
    module, _, name = path.rpartition(".")
    return struct_of(datatype(f"{module}.#{name}"))


def tuple_of(*items: Any) -> dict[str, Any]:
    return {"tag": "tuple", "data": list(items)}


def array(values: np.ndarray, path: str = "Core.Float32") -> dict[str, Any]:
    """Return an array of bits: Julia's size is the shape reversed, and the bytes are the same."""
    return {"tag": "array", "type": datatype(path), "size": list(reversed(values.shape)), "data": values.tobytes()}


def backref(number: int) -> dict[str, Any]:
    return {"tag": "backref", "ref": number}


def expression(head: str, *parts: Any) -> dict[str, Any]:
    return struct_of(datatype("Core.Expr"), symbol(head), list(parts))


def anonymous(name: str, statements: list[Any], slots: list[str], version: str = "1.9.0") -> dict[str, Any]:
    """Return the type name of an anonymous function with one method, as BSON.jl stores it since Julia 1.6."""
    slot_names = [symbol("#self#"), *(symbol(slot) for slot in slots)]
    code = struct_of(datatype("Core.CodeInfo"), statements, None, len(statements), b"", slot_names, b"\0\0")
    module = {"tag": "ref", "path": ["Main"]}
    signature = datatype("Core.Tuple", datatype("Core.Any"))
    old = [None] if version < "1.6" else []
    method = struct_of(datatype("Core.Method"), module, symbol(name), symbol("model.jl"), 12, signature,
                       {"tag": "svec", "data": []}, *old, len(slots) + 1, False, 0, code)  # fmt: skip
    return struct_of(
        datatype("Core.TypeName"), version, symbol(f"#{name}#2"), *[None] * 8, [symbol(name), [method], 2, None]
    )
