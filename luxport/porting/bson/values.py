"""BSON.jl's tagged documents as the values of `luxport.porting.julia`."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

import numpy as np

from luxport.porting import julia
from luxport.porting.bson.backrefs import resolve
from luxport.porting.bson.documents import Binary, Document, DocumentList
from luxport.porting.errors import FileFormatError
from luxport.porting.primitives import (
    array_of_bits,
    element_size,
    number_type,
    object_array,
    reversed_shape,
    value_of_bits,
)
from luxport.porting.source import MAX_DEPTH
from luxport.porting.type_rules import TypeSizes, instance, is_function, is_gpu_array, named_tuple_names

__all__ = ["values_of"]

_PENDING: Final = object()


def values_of(root: Document) -> dict[str, Any]:
    """Return the values that a file's document holds, by their names; the document is used up.

    Raises: FileFormatError if a tagged document lacks what its tag needs, a reference leads nowhere, a size and its
        data differ, or something immutable contains itself
    """
    resolve(root)
    return _Values().of_entries(root)


class _Values:
    """The values of a graph of documents.

    Every document becomes one value however many references lead to it. The values of mutable things are there
    before their contents, so that these may refer to them.
    """

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._code: dict[int, list[julia.Method]] = {}
        self._sizes = TypeSizes()
        self._depth = 0

    def of_entries(self, doc: Document) -> dict[str, Any]:
        result: dict[str, Any] = {}
        self._made[id(doc)] = result
        result.update((key, self.of(value)) for key, value in doc.items())
        return result

    def of(self, node: Any) -> Any:
        if isinstance(node, Binary):
            return np.frombuffer(node.data, np.uint8)
        if not isinstance(node, (Document, DocumentList)):
            return node
        made = self._made.get(id(node), self)
        if made is _PENDING:
            raise FileFormatError("something immutable contains itself", offset=node.offset)
        if made is not self:
            return made
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FileFormatError(f"values are nested more than {MAX_DEPTH} deep", offset=node.offset)
        try:
            return self._list(node) if isinstance(node, DocumentList) else self._document(node)
        finally:
            self._depth -= 1

    def _list(self, node: DocumentList) -> list[Any]:
        result: list[Any] = []
        self._made[id(node)] = result
        for child in node:
            result.append(self.of(child))
        return result

    def _document(self, doc: Document) -> Any:
        tag = doc.get("tag")
        if tag == "struct":
            return self._struct(doc)
        make = _TAGS.get(tag) if isinstance(tag, str) else None
        if make is None:
            return self.of_entries(doc)
        self._made[id(doc)] = _PENDING
        value = self._made[id(doc)] = make(self, doc)
        return value

    def _part(self, doc: Document, key: str) -> Any:
        if key not in doc:
            raise FileFormatError(f"a document with the tag {doc['tag']} has no {key}", offset=doc.offset)
        return doc[key]

    def _items(self, doc: Document, key: str) -> list[Any]:
        """Return the values in a list; one of numbers alone may have been saved as an array of them."""
        node = self._part(doc, key)
        if isinstance(node, DocumentList):
            return [self.of(item) for item in node]
        value = self.of(node)
        if isinstance(value, np.ndarray) and value.ndim == 1:
            return value.tolist()
        if not isinstance(value, list):
            raise FileFormatError(f"{key} of a document with the tag {doc['tag']} is no list", offset=doc.offset)
        return value

    def _strings(self, doc: Document, key: str) -> tuple[str, ...]:
        items = self._items(doc, key)
        if not items or not all(isinstance(item, str) for item in items):
            raise FileFormatError(f"{key} of a document with the tag {doc['tag']} has no names", offset=doc.offset)
        return tuple(items)

    # One method for each tag.

    def symbol(self, doc: Document) -> julia.Symbol:
        name = self._part(doc, "name")
        if not isinstance(name, str):
            raise FileFormatError("a symbol has no name", offset=doc.offset)
        return julia.Symbol(name)

    def tuple(self, doc: Document) -> tuple[Any, ...]:
        return tuple(self._items(doc, "data"))

    def module(self, doc: Document) -> julia.Module:
        return julia.Module(julia.without_main(self._strings(doc, "path")))

    def datatype(self, doc: Document) -> julia.TypeName:
        path = self._strings(doc, "name")
        return self._type(julia.without_main(path[:-1]), path[-1], doc)

    def anonymous(self, doc: Document) -> julia.TypeName:
        typename = self._part(doc, "typename")
        data = typename.get("data") if isinstance(typename, Document) else None
        name = self.of(data[1]) if isinstance(data, list) and len(data) > 1 else None
        if not isinstance(name, julia.Symbol):
            raise FileFormatError("an anonymous function has no name", offset=doc.offset)
        return self._type((), name.name, doc, self._methods(typename))

    def _type(self, module: Any, name: str, doc: Document, methods: Any = None) -> julia.TypeName:
        params = tuple(self._items(doc, "params"))
        self._sizes.check(params, doc.offset)
        return julia.TypeName(module, name, params, [] if methods is None else methods)

    def unionall(self, doc: Document) -> julia.UnionAll:
        variable, body = self.of(self._part(doc, "var")), self.of(self._part(doc, "body"))
        self._sizes.check((variable, body), doc.offset)
        return julia.UnionAll(variable, body)

    def bottom(self, doc: Document) -> julia.TypeName:
        return julia.BOTTOM

    def array(self, doc: Document) -> Any:
        element = self.of(self._part(doc, "type"))
        shape = reversed_shape(self._items(doc, "size"), doc.offset)
        data = self._part(doc, "data")
        count = int(np.prod(shape, dtype=object))
        if isinstance(data, list):
            if len(data) != count:
                raise FileFormatError(f"an array of the shape {shape} has {len(data)} elements", offset=doc.offset)
            values = [self.of(item) for item in data]
            return values if len(shape) == 1 else object_array(values, shape)
        if not isinstance(data, Binary):
            raise FileFormatError("an array has no data", offset=doc.offset)
        if not data.data and count and element_size(element) is None:
            return julia.Filled(instance(element, doc.offset), shape)
        return array_of_bits(element, data.data, shape, data.offset)

    def _struct(self, doc: Document) -> Any:
        self._made[id(doc)] = _PENDING
        type = self.of(self._part(doc, "type"))
        if not isinstance(type, (julia.TypeName, julia.UnionAll)):
            raise FileFormatError("a struct has no type", offset=doc.offset)
        data = self._part(doc, "data")
        if isinstance(data, Binary):
            value = value_of_bits(type, data.data, data.offset)
        elif not isinstance(data, list):
            raise FileFormatError(f"a {type} has no data", offset=doc.offset)
        elif isinstance(type, julia.TypeName) and (type.path in _STRUCTS or is_function(type) or number_type(type)):
            value = self._special(type, data, doc)
        else:
            value = julia.Struct(type, [])
            self._made[id(doc)] = value
            value.fields.extend([self.of(item) for item in data])
            if is_gpu_array(type) and not _has_array(value):
                value = julia.Unavailable(type, "the weights were on a GPU and were never written to the file")
        self._made[id(doc)] = value
        return value

    def _special(self, type: julia.TypeName, data: list[Any], doc: Document) -> Any:
        if is_function(type):
            function = self._made[id(doc)] = julia.Function(type)
            function.captured.extend([self.of(item) for item in data])
            return function
        if type.path in ("Base.Dict", "Base.IdDict") and len(data) == 2:
            result = self._made[id(doc)] = julia.Dict(type, [])
            keys, values = self.of(data[0]), self.of(data[1])
            if not isinstance(keys, (list, np.ndarray)) or not isinstance(values, (list, np.ndarray)):
                raise FileFormatError(f"a {type.path} has no keys and values", offset=doc.offset)
            if len(keys) != len(values):
                raise FileFormatError(f"a {type.path} has {len(keys)} keys and {len(values)} values", offset=doc.offset)
            result.pairs.extend(zip(_elements(keys), _elements(values), strict=True))
            return result
        fields = [self.of(item) for item in data]
        names = named_tuple_names(type)
        if names is not None and len(names) == len(fields):
            return julia.NamedTuple(names, tuple(fields))
        dtype = number_type(type)
        if dtype is not None and dtype.kind == "c" and len(fields) == 2:
            try:
                return dtype.type(complex(*fields))
            except (TypeError, ValueError, OverflowError):
                raise FileFormatError(f"a {type} is made of {fields!r:.60}", offset=doc.offset) from None
        if type.path == "Core.Union":
            self._sizes.check(tuple(fields), doc.offset)
            return julia.Union(tuple(fields))
        if type.path == "Core.TypeVar" and len(fields) == 3 and isinstance(fields[0], julia.Symbol):
            self._sizes.check(tuple(fields), doc.offset)
            return julia.TypeVar(fields[0].name, fields[1], fields[2])
        if type.path in ("Core.Nothing", "Base.Missing", "BSON.Undef") and not fields:
            return instance(type, doc.offset)
        if type.path == "Base.GMP.BigInt":
            return julia.Unavailable(type, "BSON.jl stores the address of a BigInt, not its digits")
        return julia.Struct(type, fields)

    def _methods(self, typename: Document) -> list[julia.Method]:
        """Return the methods of a function's type name; the list is shared and filled once."""
        known = self._code.get(id(typename))
        if known is not None:
            return known
        methods = self._code[id(typename)] = []
        for definition in _at(_at(typename["data"], -1), 1, list) or ():
            method = self._method(definition)
            if method is not None:
                methods.append(method)
        return methods

    def _method(self, definition: Any) -> julia.Method | None:
        """Return a method, whose fields stand in the order of BSON.jl; one of another form is left out."""
        data = definition.get("data") if isinstance(definition, Document) else None
        if not isinstance(data, list) or len(data) < 10:
            return None
        module, name, file, line, signature = (self.of(item) for item in data[:5])
        # Julia before 1.6 has one more field in between; the number of arguments is the fourth from the end.
        count, code = self.of(data[-4]), self.of(data[-1])
        if not isinstance(name, julia.Symbol) or not isinstance(code, julia.Struct) or not code.fields:
            return None
        statements = code.fields[0] if isinstance(code.fields[0], list) else []
        slots = next((names for item in code.fields[1:] if (names := _names(item))), ())
        arguments = slots[1 : count if _is_whole(count) and count > 0 else 1]
        where = file.name if isinstance(file, julia.Symbol) else ""
        line = line if _is_whole(line) else 0
        return julia.Method(name.name, module, where, line, signature, arguments, slots, statements, code)


_TAGS = {
    "array": _Values.array,
    "symbol": _Values.symbol,
    "tuple": _Values.tuple,
    "svec": _Values.tuple,
    "ref": _Values.module,
    "datatype": _Values.datatype,
    "jl_anonymous": _Values.anonymous,
    "unionall": _Values.unionall,
    "jl_bottom_type": _Values.bottom,
}
_STRUCTS = frozenset(
    {
        *("Core.NamedTuple", "Core.Union", "Core.TypeVar", "Core.Nothing", "Base.Missing", "BSON.Undef"),
        *("Base.Dict", "Base.IdDict", "Base.GMP.BigInt"),
    }
)


def _at(node: Any, index: int, kind: type = object) -> Any:
    """Return an element of a list that is of a kind, None if there is none."""
    if isinstance(node, list) and -len(node) <= index < len(node) and isinstance(node[index], kind):
        return node[index]
    return None


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and value and all(isinstance(item, julia.Symbol) for item in value):
        return tuple(item.name for item in value)
    return ()


def _elements(values: Any) -> list[Any]:
    return values if isinstance(values, list) else list(values)


def _has_array(value: julia.Struct) -> bool:
    return any(isinstance(part, np.ndarray) and part.dtype != object for _, part in islice(julia.walk(value), 200))
