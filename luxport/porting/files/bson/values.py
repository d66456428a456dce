"""Convert BSON.jl's tagged documents to the values of `luxport.porting.julia`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, TypeAlias, TypeGuard

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.files.bson.backrefs import resolve_references
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

_Construction: TypeAlias = Generator[Any, Any, Any]
"""Makes a value: it yields each document whose value it needs, is sent that value, and returns the finished value."""

_PENDING: Final = object()
_PLAIN: Final = frozenset({int, float, str, bool, type(None)})
"""Types of parsed documents that are values already."""
_type = type  # the methods use the name `type` for the type of a struct

# BSON.jl writes recursively: deeper values would have overflowed Julia's stack.
_DEEPEST = 10_000


def read_values(root: Document, size: int = 0) -> dict[str, Any]:
    """Return the values of a file's document by name; this modifies the document.

    If the document itself is one value, as ``bson(path, Dict("model" => m))`` writes it, a dictionary is returned as
    it is, and any other value under the name ``value``. `size` is the size of the file, which limits that of types.

    Raises: FileFormatError if a tagged document lacks an entry that its tag needs, a reference leads nowhere, a size
        differs from its data, or an immutable value contains itself
    """
    resolve_references(root)
    values = _Values(size)
    if not isinstance(root.get("tag"), str):
        return values.make_all(values.make_entries(root))
    value = values.make_all(values._make_document(root))
    if isinstance(value, julia.Dict):
        named = {key.name if isinstance(key, julia.Symbol) else key: entry for key, entry in value.pairs}
        if all(isinstance(key, str) for key in named):
            return named
    return value if isinstance(value, dict) else {"value": value}


class _Values:
    """Converts a graph of documents to values.

    Every document becomes one value, however many references lead to it. A mutable value is registered before its
    contents are made, so that they may refer to it. Unfinished values wait in a list instead of on Python's stack: a
    network that was saved with its tape of gradients can be thousands of references deep.
    """

    def __init__(self, size: int) -> None:
        self._made: dict[int, Any] = {}
        self._code: dict[int, list[julia.Method]] = {}
        self._methods: list[_Construction] = []
        self._sizes = TypeSizes(size)
        self._kinds: dict[int, tuple[str, Any]] = {}

    def make_all(self, root: _Construction) -> Any:
        """Return a value with all its contents; the methods of functions are made last."""
        value = self.run(root)
        while self._methods:
            self.run(self._methods.pop())
        return value

    def run(self, first: _Construction) -> Any:
        """Return a value, after making all values that it needs."""
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
                    raise FileFormatError("an immutable value contains itself", offset=node.offset)
            elif len(waiting) > _DEEPEST:
                raise FileFormatError(f"values are nested more than {_DEEPEST} deep", offset=node.offset)
            else:
                waiting.append(self._make_list(node) if isinstance(node, DocumentList) else self._make_document(node))
        return value

    def make_entries(self, doc: Document) -> _Construction:
        result: dict[str, Any] = {}
        self._made[id(doc)] = result
        for key, node in doc.items():
            result[key] = yield node
        return result

    def _make_list(self, nodes: DocumentList) -> _Construction:
        result: list[Any] = []
        self._made[id(nodes)] = result
        for node in nodes:
            result.append(node if type(node) in _PLAIN else (yield node))
        return result

    def _make_document(self, doc: Document) -> _Construction:
        tag = doc.get("tag")
        if tag == "struct":
            return (yield from self._make_struct(doc))
        make = _TAGS.get(tag) if isinstance(tag, str) else None
        if make is None:
            return (yield from self.make_entries(doc))
        self._made[id(doc)] = _PENDING
        value = self._made[id(doc)] = yield from make(self, doc)
        return value

    def _make_items(self, doc: Document, key: str) -> _Construction:
        """Make a list of values, which BSON.jl may have saved as an array if all of them are numbers."""
        value = yield _get_entry(doc, key)
        if isinstance(value, np.ndarray) and value.ndim == 1:
            return value.tolist()
        if not isinstance(value, list):
            raise FileFormatError(f"{key} of a document with the tag {doc['tag']} is no list", offset=doc.offset)
        return value

    # One method for each tag.

    def make_symbol(self, doc: Document) -> _Construction:
        name = yield _get_entry(doc, "name")
        if not isinstance(name, str):
            raise FileFormatError("a symbol has no name", offset=doc.offset)
        return julia.Symbol(name)

    def make_tuple(self, doc: Document) -> _Construction:
        return tuple((yield from self._make_items(doc, "data")))

    def make_module(self, doc: Document) -> _Construction:
        path = yield from self._make_items(doc, "path")
        return julia.Module(julia.drop_main(_check_names(path, doc)))

    def make_datatype(self, doc: Document) -> _Construction:
        path = _check_names((yield from self._make_items(doc, "name")), doc)
        return (yield from self._make_type(julia.drop_main(path[:-1]), path[-1], doc, []))

    def make_anonymous_type(self, doc: Document) -> _Construction:
        typename: Any = doc.get("typename")
        data = typename.get("data") if isinstance(typename, Document) else None
        name = (yield data[1]) if isinstance(data, list) and len(data) > 1 else None
        if not isinstance(name, julia.Symbol):
            return julia.Unavailable(julia.TypeName((), "a function"), "an anonymous function has no name")
        known = self._code.get(id(typename))
        if known is None:
            # The methods are made last, since their signatures name this type and their code may contain the function.
            known = self._code[id(typename)] = []
            self._methods.append(append_methods(typename, known))
        return (yield from self._make_type((), name.name, doc, known))

    def _make_type(self, module: Any, name: str, doc: Document, methods: list[julia.Method]) -> _Construction:
        params = tuple((yield from self._make_items(doc, "params")))
        self._sizes.check(params, doc.offset)
        return julia.TypeName(module, name, params, methods)

    def make_unionall(self, doc: Document) -> _Construction:
        variable = yield _get_entry(doc, "var")
        body = yield _get_entry(doc, "body")
        self._sizes.check((variable, body), doc.offset)
        return julia.UnionAll(variable, body)

    def make_bottom(self, doc: Document) -> _Construction:
        yield None
        return julia.BOTTOM

    def make_array(self, doc: Document) -> _Construction:
        element = yield _get_entry(doc, "type")
        shape = reverse_size((yield from self._make_items(doc, "size")), doc.offset)
        count = int(np.prod(shape, dtype=object))
        data = _get_entry(doc, "data")
        if isinstance(data, Binary):
            if not data.data and count and find_element_size(element) is None:
                return julia.Filled(make_instance(element, doc.offset), shape)
            return read_array(element, data.data, shape, data.offset)
        if not isinstance(data, list):
            raise FileFormatError("an array has no data", offset=doc.offset)
        if len(data) != count:
            raise FileFormatError(f"an array of shape {shape} has {len(data)} elements", offset=doc.offset)
        values = yield data
        return values if len(shape) == 1 else make_object_array(values, shape)

    def _make_struct(self, doc: Document) -> _Construction:
        self._made[id(doc)] = _PENDING
        type = yield doc.get("type")
        if not isinstance(type, (julia.TypeName, julia.UnionAll)):
            return type if isinstance(type, julia.Unavailable) else _make_untyped(doc)
        data = _get_entry(doc, "data")
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
            if kind == "GPU array":
                value = mark_unavailable(value)
        self._made[id(doc)] = value
        return value

    def _find_kind(self, type: Any) -> str:
        """Return how structs of a type are made; the result is cached, since a model may have a million structs."""
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
                    kind = "GPU array"
            # The type is kept alive, since another object could get its `id` otherwise.
            known = self._kinds[id(type)] = (kind, type)
        return known[0]

    def _make_immutable(self, type: julia.TypeName, fields: list[Any], offset: int) -> Any:
        """Return the value of an immutable struct, as one of the classes of `luxport.porting.julia` if it has one."""
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
    "array": _Values.make_array,
    "symbol": _Values.make_symbol,
    "tuple": _Values.make_tuple,
    "svec": _Values.make_tuple,
    "ref": _Values.make_module,
    "datatype": _Values.make_datatype,
    "jl_anonymous": _Values.make_anonymous_type,
    "unionall": _Values.make_unionall,
    "jl_bottom_type": _Values.make_bottom,
}
_IMMUTABLE = frozenset(
    {
        *("Core.NamedTuple", "Core.Union", "Core.TypeVar", "Core.Nothing", "Base.Missing"),
        *("BSON.Undef", "Base.GMP.BigInt"),
    }
)


def _make_untyped(doc: Document) -> julia.Unavailable:
    """Return the placeholder for a struct without a type."""
    return julia.Unavailable(julia.TypeName((), "a struct"), f"a struct at byte {doc.offset} has no type")


def _get_entry(doc: Document, key: str) -> Any:
    if key not in doc:
        raise FileFormatError(f"a document with the tag {doc['tag']} has no {key}", offset=doc.offset)
    return doc[key]


def _check_names(items: list[Any], doc: Document) -> tuple[str, ...]:
    if not items or not all(isinstance(item, str) for item in items):
        raise FileFormatError(f"a document with the tag {doc['tag']} has no names", offset=doc.offset)
    return tuple(items)


def _pair_up(keys: Any, values: Any, offset: int) -> list[tuple[Any, Any]]:
    keys, values = _list_elements(keys), _list_elements(values)
    # A set is saved as a dictionary whose values are all `nothing`, without bytes; Zygote's `Params` contain one.
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
