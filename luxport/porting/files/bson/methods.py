"""Read the lowered code of anonymous functions, which BSON.jl stores in the type name of each function."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from luxport.porting import julia
from luxport.porting.files.bson.documents import Document

__all__ = ["append_methods"]


def append_methods(typename: Document, methods: list[julia.Method]) -> Generator[Any, Any, None]:
    """Append the methods of a function's type name to a list, except methods of an unknown form.

    This is a generator: it yields each document whose value it needs, and is sent that value.
    """
    # A type name ends with its method table, whose second entry is the list of methods.
    for definition in _get_item(_get_item(typename["data"], -1), 1, list) or ():
        method = yield from _read_method(definition)
        if method is not None:
            methods.append(method)


def _read_method(definition: Any) -> Generator[Any, Any, julia.Method | None]:
    data = definition.get("data") if isinstance(definition, Document) else None
    if not isinstance(data, list) or len(data) < 10:
        return None
    module = yield data[0]
    name = yield data[1]
    file = yield data[2]
    line = yield data[3]
    signature = yield data[4]
    # Julia before 1.6 has one more field in the middle, so the number of arguments is counted from the end.
    count = yield data[-4]
    code = yield data[-1]
    if not isinstance(name, julia.Symbol) or not isinstance(code, julia.Struct) or not code.fields:
        return None
    statements = code.fields[0] if isinstance(code.fields[0], list) else []
    # The order of the other fields differs between versions of Julia; only the names of the slots are symbols.
    slots = next((names for item in code.fields[1:] if (names := _list_symbols(item))), ())
    arguments = slots[1 : count if _is_integer(count) and count > 0 else 1]
    where = file.name if isinstance(file, julia.Symbol) else ""
    line = line if _is_integer(line) else 0
    return julia.Method(name.name, module, where, line, signature, arguments, slots, statements, code)


def _get_item(node: Any, index: int, kind: type = object) -> Any:
    """Return an item of a list; None if `node` is no list, is too short, or the item has another type than `kind`."""
    if isinstance(node, list) and -len(node) <= index < len(node) and isinstance(node[index], kind):
        return node[index]
    return None


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _list_symbols(value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and value and all(isinstance(item, julia.Symbol) for item in value):
        return tuple(item.name for item in value)
    return ()
