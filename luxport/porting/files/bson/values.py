"""BSON.jl's tagged documents as the values of `luxport.porting.julia`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, TypeAlias, TypeGuard

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.files.bson.backrefs import resolve
from luxport.porting.files.bson.documents import Binary, Document, DocumentList, TooDeep
from luxport.porting.files.bson.methods import append_methods
from luxport.porting.julia.primitives import (
    find_element_size,
    find_number_type,
    list_items,
    make_object_array,
    read_array,
    read_value,
    reverse_size,
)
from luxport.porting.julia.type_rules import (
    TypeSizes,
    find_named_tuple_names,
    is_function,
    is_gpu_array,
    make_instance,
    mark_unavailable,
)

__all__ = ["read_values"]

_Making: TypeAlias = Generator[Any, Any, Any]
"""The making of a value: it yields each document whose value it needs, is sent that value, and returns its own."""

_PENDING: Final = object()
_PLAIN: Final = frozenset({int, float, str, bool, type(None)})
"""What stands for itself, and takes no making."""
_type = type  # which is also what the methods call the type of a struct

# Beyond what the recursive writer in Julia could have saved on its stack.
_DEEPEST = 10_000


def read_values(root: Document, size: int = 0) -> dict[str, Any]:
    """Return the values that a file's document holds, by their names; the document is used up.

    A document that is itself one value, as ``bson(path, Dict("model" => m))`` writes it, is the dictionary that it
    is, or one value with the name ``value``. `size` is the file's, by which types are bounded.

    Raises: FileFormatError if a tagged document lacks what its tag needs, a reference leads nowhere, a size and its
        data differ, or something immutable contains itself
    """
    resolve(root)
    values = _Values(size)
    if not isinstance(root.get("tag"), str):
        return values.make_all(values.entries(root))
    whole = values.make_all(values._make_document(root))
    if isinstance(whole, julia.Dict):
        named = {key.name if isinstance(key, julia.Symbol) else key: value for key, value in whole.pairs}
        if all(isinstance(key, str) for key in named):
            return named
    return whole if isinstance(whole, dict) else {"value": whole}


class _Values:
    """The values of a graph of documents.

    Every document becomes one value however many references lead to it. The values of mutable things are there
    before their contents, so that these may refer to them. What is being made waits in a list, not on Python's
    stack: a network that was saved with its tape may be thousands of references deep.
    """

    def __init__(self, size: int) -> None:
        self._made: dict[int, Any] = {}
        self._code: dict[int, list[julia.Method]] = {}
        self._methods: list[_Making] = []
        self._sizes = TypeSizes(size)
        self._kinds: dict[int, tuple[str, Any]] = {}

    def make_all(self, root: _Making) -> Any:
        """Make a value and all that it holds, the methods of functions at the end."""
        value = self.run(root)
        while self._methods:
            self.run(self._methods.pop())
        return value

    def run(self, first: _Making) -> Any:
        """Make a value, and those that it needs."""
        waiting = [first]
        value: Any = None
        while waiting:
            try:
                node = waiting[-1].send(value)
            except StopIteration as done:
                waiting.pop()
                value = done.value
                continue
            value = None
            if isinstance(node, TooDeep):
                value = julia.Unavailable(julia.TypeName((), "a value"), node.reason)
            elif isinstance(node, Binary):
                value = np.frombuffer(node.data, np.uint8)
            elif not isinstance(node, (Document, DocumentList)):
                value = node
            elif id(node) in self._made:
                value = self._made[id(node)]
                if value is _PENDING:
                    raise FileFormatError("something immutable contains itself", offset=node.offset)
            elif len(waiting) > _DEEPEST:
                raise FileFormatError(f"values are nested more than {_DEEPEST} deep", offset=node.offset)
            else:
                waiting.append(self._list(node) if isinstance(node, DocumentList) else self._make_document(node))
        return value

    def entries(self, doc: Document) -> _Making:
        result: dict[str, Any] = {}
        self._made[id(doc)] = result
        for key, node in doc.items():
            result[key] = yield node
        return result

    def _list(self, nodes: DocumentList) -> _Making:
        result: list[Any] = []
        self._made[id(nodes)] = result
        for node in nodes:
            result.append(node if type(node) in _PLAIN else (yield node))
        return result

    def _make_document(self, doc: Document) -> _Making:
        tag = doc.get("tag")
        if tag == "struct":
            return (yield from self._make_struct(doc))
        make = _TAGS.get(tag) if isinstance(tag, str) else None
        if make is None:
            return (yield from self.entries(doc))
        self._made[id(doc)] = _PENDING
        value = self._made[id(doc)] = yield from make(self, doc)
        return value

    def _make_items(self, doc: Document, key: str) -> _Making:
        """Make a list of values; one of numbers alone may have been saved as an array of them."""
        value = yield _take_part(doc, key)
        if isinstance(value, np.ndarray) and value.ndim == 1:
            return value.tolist()
        if not isinstance(value, list):
            raise FileFormatError(f"{key} of a document with the tag {doc['tag']} is no list", offset=doc.offset)
        return value

    # One method for each tag.

    def symbol(self, doc: Document) -> _Making:
        name = yield _take_part(doc, "name")
        if not isinstance(name, str):
            raise FileFormatError("a symbol has no name", offset=doc.offset)
        return julia.Symbol(name)

    def tuple(self, doc: Document) -> _Making:
        return tuple((yield from self._make_items(doc, "data")))

    def module(self, doc: Document) -> _Making:
        path = yield from self._make_items(doc, "path")
        return julia.Module(julia.drop_main(_check_names(path, doc)))

    def datatype(self, doc: Document) -> _Making:
        path = _check_names((yield from self._make_items(doc, "name")), doc)
        return (yield from self._make_type(julia.drop_main(path[:-1]), path[-1], doc, []))

    def anonymous(self, doc: Document) -> _Making:
        typename: Any = doc.get("typename")
        data = typename.get("data") if isinstance(typename, Document) else None
        name = (yield data[1]) if isinstance(data, list) and len(data) > 1 else None
        if not isinstance(name, julia.Symbol):
            return julia.Unavailable(julia.TypeName((), "a function"), "an anonymous function has no name")
        known = self._code.get(id(typename))
        if known is None:
            # The methods come when all else is there: signatures name this type, and code may hold the function.
            known = self._code[id(typename)] = []
            self._methods.append(append_methods(typename, known))
        return (yield from self._make_type((), name.name, doc, known))

    def _make_type(self, module: Any, name: str, doc: Document, methods: list[julia.Method]) -> _Making:
        params = tuple((yield from self._make_items(doc, "params")))
        self._sizes.check(params, doc.offset)
        return julia.TypeName(module, name, params, methods)

    def unionall(self, doc: Document) -> _Making:
        variable = yield _take_part(doc, "var")
        body = yield _take_part(doc, "body")
        self._sizes.check((variable, body), doc.offset)
        return julia.UnionAll(variable, body)

    def bottom(self, doc: Document) -> _Making:
        yield None
        return julia.BOTTOM

    def array(self, doc: Document) -> _Making:
        element = yield _take_part(doc, "type")
        shape = reverse_size((yield from self._make_items(doc, "size")), doc.offset)
        count = int(np.prod(shape, dtype=object))
        data = _take_part(doc, "data")
        if isinstance(data, Binary):
            if not data.data and count and find_element_size(element) is None:
                return julia.Filled(make_instance(element, doc.offset), shape)
            return read_array(element, data.data, shape, data.offset)
        if not isinstance(data, list):
            raise FileFormatError("an array has no data", offset=doc.offset)
        if len(data) != count:
            raise FileFormatError(f"an array of the shape {shape} has {len(data)} elements", offset=doc.offset)
        values = yield data
        return values if len(shape) == 1 else make_object_array(values, shape)

    def _make_struct(self, doc: Document) -> _Making:
        self._made[id(doc)] = _PENDING
        type = yield doc.get("type")
        if not isinstance(type, (julia.TypeName, julia.UnionAll)):
            return type if isinstance(type, julia.Unavailable) else _make_nameless(doc)
        data = _take_part(doc, "data")
        if isinstance(data, Binary):
            value = read_value(type, data.data, data.offset)
        elif not isinstance(data, list):
            raise FileFormatError(f"a {type} has no data", offset=doc.offset)
        elif (kind := self._find_kind(type)) == "function" and isinstance(type, julia.TypeName):
            value = self._made[id(doc)] = julia.Function(type)
            for node in data:
                value.captured.append((yield node))
        elif kind == "dictionary" and len(data) == 2:
            value = self._made[id(doc)] = julia.Dict(type, [])
            keys = yield data[0]
            values = yield data[1]
            value.pairs.extend(_pair_up(keys, values, doc.offset))
        elif kind == "immutable" and isinstance(type, julia.TypeName):
            fields = []
            for node in data:
                fields.append((yield node))
            value = self._make_immutable(type, fields, doc.offset)
        else:
            value = self._made[id(doc)] = julia.Struct(type, [])
            for node in data:
                value.fields.append(node if _type(node) in _PLAIN else (yield node))
            if kind == "memory of a GPU":
                value = mark_unavailable(value)
        self._made[id(doc)] = value
        return value

    def _find_kind(self, type: Any) -> str:
        """Return how structs of a type are made; a model of a million of them has few types."""
        known = self._kinds.get(id(type))
        if known is None:
            kind = "other"
            if isinstance(type, julia.TypeName):
                if is_function(type):
                    kind = "function"
                elif type.path in ("Base.Dict", "Base.IdDict"):
                    kind = "dictionary"
                elif type.path in _IMMUTABLE or find_number_type(type) is not None:
                    kind = "immutable"
                elif is_gpu_array(type):
                    kind = "memory of a GPU"
            # The type is kept, lest another have its identity.
            known = self._kinds[id(type)] = (kind, type)
        return known[0]

    def _make_immutable(self, type: julia.TypeName, fields: list[Any], offset: int) -> Any:
        """Return the value of a struct of Julia's own that has a form here."""
        names = find_named_tuple_names(type)
        if names is not None and len(names) == len(fields):
            return julia.NamedTuple(names, tuple(fields))
        dtype = find_number_type(type)
        if dtype is not None and dtype.kind == "c" and len(fields) == 2:
            try:
                return dtype.type(complex(*fields))
            except (TypeError, ValueError, OverflowError):
                raise FileFormatError(f"a {type} is made of {fields!r:.60}", offset=offset) from None
        if type.path == "Core.Union":
            self._sizes.check(tuple(fields), offset)
            return julia.Union(tuple(fields))
        if type.path == "Core.TypeVar" and len(fields) == 3 and isinstance(fields[0], julia.Symbol):
            self._sizes.check(tuple(fields), offset)
            return julia.TypeVar(fields[0].name, fields[1], fields[2])
        if type.path in ("Core.Nothing", "Base.Missing", "BSON.Undef") and not fields:
            return make_instance(type, offset)
        if type.path == "Base.GMP.BigInt":
            return julia.Unavailable(type, "BSON.jl stores the address of a BigInt, not its digits")
        return julia.Struct(type, fields)


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
_IMMUTABLE = frozenset(
    {
        *("Core.NamedTuple", "Core.Union", "Core.TypeVar", "Core.Nothing", "Base.Missing"),
        *("BSON.Undef", "Base.GMP.BigInt"),
    }
)


def _make_nameless(doc: Document) -> julia.Unavailable:
    """Return what stands for a struct whose type nobody knows."""
    return julia.Unavailable(julia.TypeName((), "a struct"), f"a struct at byte {doc.offset} has no type")


def _take_part(doc: Document, key: str) -> Any:
    if key not in doc:
        raise FileFormatError(f"a document with the tag {doc['tag']} has no {key}", offset=doc.offset)
    return doc[key]


def _check_names(items: list[Any], doc: Document) -> tuple[str, ...]:
    if not items or not all(isinstance(item, str) for item in items):
        raise FileFormatError(f"a document with the tag {doc['tag']} has no names", offset=doc.offset)
    return tuple(items)


def _pair_up(keys: Any, values: Any, offset: int) -> list[tuple[Any, Any]]:
    keys, values = _list_elements(keys), _list_elements(values)
    # The values of a set are all nothing, which takes no bytes; the parameters that Zygote collects are such a set.
    if isinstance(values, julia.Filled) and isinstance(keys, list) and values.shape == (len(keys),):
        values = [values.value] * len(keys)
    if not (_is_vector(keys) and _is_vector(values)):
        raise FileFormatError("a dictionary has no keys and values", offset=offset)
    if len(keys) != len(values):
        raise FileFormatError(f"a dictionary has {len(keys)} keys and {len(values)} values", offset=offset)
    return list(zip(keys, values, strict=True))


def _list_elements(values: Any) -> Any:
    return list_items(values) if isinstance(values, julia.BitsArray) and len(values.shape) == 1 else values


def _is_vector(value: Any) -> TypeGuard[list[Any] | np.ndarray]:
    return isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim == 1)
