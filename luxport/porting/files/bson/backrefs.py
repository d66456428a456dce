"""Resolve BSON.jl's back references, which represent values that are in several places."""

from __future__ import annotations

from typing import Any, TypeAlias

from luxport.porting.errors import FileFormatError
from luxport.porting.files.bson.documents import Document, DocumentList

__all__ = ["resolve_references"]

_Tables: TypeAlias = tuple[list[Any], "_Tables | None"]


def resolve_references(root: Document) -> None:
    """Replace every back reference, in place, by the value it refers to, and remove the tables of these values.

    A table is the entry ``_backrefs`` of a document, usually of the file's root. A number that the innermost table
    does not have is looked up in the tables of the enclosing documents.

    Raises: FileFormatError if a reference leads nowhere
    """
    pending: list[tuple[Document | DocumentList, _Tables | None]] = [(root, None)]
    while pending:
        container, tables = pending.pop()
        if isinstance(container, Document) and "_backrefs" in container:
            table = container.pop("_backrefs")
            if not isinstance(table, list):
                raise FileFormatError("_backrefs is no list", offset=container.offset)
            tables = (table, tables)
            for entry in table:
                if isinstance(entry, (Document, DocumentList)):
                    pending.append((entry, tables))
        for key, child in container.items() if isinstance(container, Document) else enumerate(container):
            if not isinstance(child, (Document, DocumentList)):
                continue
            if _is_reference(child):
                container[key] = _follow_reference(child, tables)  # type: ignore[index,arg-type]
            else:
                pending.append((child, tables))


def _is_reference(node: Any) -> bool:
    return isinstance(node, Document) and node.get("tag") == "backref"


def _follow_reference(reference: Document, tables: _Tables | None) -> Any:
    node: Any = reference
    # A reference may lead to another one. BSON.jl never writes long chains, so this many steps mean a cycle.
    for _ in range(100):
        node = _get_entry(node, tables)
        if not _is_reference(node):
            return node
    raise FileFormatError("a back reference leads to itself", offset=reference.offset)


def _get_entry(reference: Document, tables: _Tables | None) -> Any:
    number = reference.get("ref")
    if isinstance(number, int) and not isinstance(number, bool):
        while tables is not None:
            table, tables = tables
            if 1 <= number <= len(table):
                return table[number - 1]
    raise FileFormatError(f"back reference {number!r} leads nowhere", offset=reference.offset)
