"""Convert the objects of a JLD2 file to the values of `luxport.porting.julia`."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError, NotReadError
from luxport.porting.files.jld2.committed import CommittedType, CommittedTypes
from luxport.porting.files.jld2.conversions import convert_saved, convert_special
from luxport.porting.files.jld2.datatypes import (
    ArrayOf,
    Compound,
    Datatype,
    Number,
    Opaque,
    Reference,
    Shared,
    Text,
    VariableLength,
)
from luxport.porting.files.jld2.headers import Attribute, Dataspace, Header, read_header
from luxport.porting.files.jld2.heap import read_heap_elements
from luxport.porting.files.jld2.storage import read_raw_data
from luxport.porting.files.jld2.superblock import UNDEFINED_ADDRESS, Hdf5
from luxport.porting.files.jld2.tuples import Tuples
from luxport.porting.files.jld2.whole_arrays import is_complex, read_array_at_once
from luxport.porting.files.source import MAX_DEPTH
from luxport.porting.julia.primitives import (
    make_object_array,
    make_scalar,
    read_array,
    read_value,
    reverse_size,
)
from luxport.porting.julia.type_rules import (
    TypeSizes,
    find_tuple_types,
    is_function,
    is_gpu_array,
    make_instance,
    mark_unavailable,
)

__all__ = ["Values"]

_PENDING: Final = object()
_TYPES_GROUP = "_types"
_NOT_READ: Final = julia.TypeName((), "a value")


class _TooDeepError(NotReadError):
    """A value is nested too deep."""


class Values:
    """Reads objects by address, each once; a mutable value is registered before its contents, which may refer to it."""

    def __init__(self, file: Hdf5) -> None:
        self._file = file
        self._made: dict[int, Any] = {}
        self._types = CommittedTypes(file, self._read_attribute)
        self._sizes = TypeSizes(file.source.size)
        self._tuples = Tuples(file.source)
        self._depth = 0

    def read_root(self) -> dict[str, Any]:
        """Return the values of the file by name."""
        header = read_header(self._file, self._file.root)
        if not header.is_group:
            raise FileFormatError("the root of the file is no group", offset=header.offset)
        header.links.pop(_TYPES_GROUP, None)
        return self._read_group(header)

    def read_object(self, address: int) -> Any:
        """Return the object at an address."""
        if address in self._made:
            made = self._made[address]
            if made is _PENDING:
                raise FileFormatError("an immutable value contains itself", offset=self._file.find_offset(address))
            return made
        self._enter(self._file.find_offset(address))
        self._made[address] = _PENDING
        try:
            header = read_header(self._file, address)
            if header.is_group:
                value = self._read_group(header)
            elif header.datatype is None:
                raise FileFormatError("an object is neither a group nor a dataset", offset=header.offset)
            elif header.layout is None and header.dataspace is None:
                value = self._types[address].type
            else:
                value = self._read_dataset(header, header.datatype)
        except NotReadError:  # a partial value must not be returned for a later reference
            del self._made[address]
            raise
        finally:
            self._depth -= 1
        self._made[address] = value
        return value

    def _read_or_hole(self, address: int, *, named: bool = False) -> Any:
        """Return the object at an address, or a `julia.Unavailable` in its place if it cannot be read.

        If values are nested too deep, the placeholder replaces the innermost named object in the first half of the
        allowed depth, and not the deepest one: another part of the file may refer to a value in it on a shorter path,
        where it can be read completely.
        """
        depth = self._depth
        try:
            return self.read_object(address)
        except NotReadError as error:
            if isinstance(error, _TooDeepError) and (not named or depth > MAX_DEPTH // 2):
                raise
            self._depth = depth
            return julia.Unavailable(_NOT_READ, f"it cannot be read: {error.reason}")

    def _enter(self, offset: int) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._depth -= 1  # the caller decrements it only after a successful `_enter`
            raise _TooDeepError(f"values are nested more than {MAX_DEPTH} deep", offset=offset)

    def _read_group(self, header: Header) -> dict[str, Any]:
        group: dict[str, Any] = {}
        self._made[header.address] = group
        for name, target in header.links.items():
            group[name] = self._read_or_hole(target, named=True)
        return group

    def _read_dataset(self, header: Header, type: Datatype) -> Any:
        space = header.dataspace or Dataspace("scalar", ())
        if space.kind == "null":
            return self._make_empty(header, type)
        shape = self._find_shape(header.attributes, space)
        size = self._find_storage(type).size
        if isinstance(type, Text) and space.kind == "simple" and shape == (size,):
            # JLD2 0.1.12 to 0.3.1 wrote a string as an array of its bytes.
            return _decode_text(*read_raw_data(self._file, header, shape, 1))
        data, place = read_raw_data(self._file, header, space.shape if space.kind == "simple" else (), size)
        if space.kind == "simple":
            return self._read_array(type, data, shape, place, header.address)
        return self._read_element(type, data, place, header.address)

    def _find_shape(self, attributes: dict[str, Attribute], space: Dataspace) -> tuple[int, ...]:
        """Return the shape of an array, which an attribute gives if the array has no axes or no data."""
        if "dimensions" not in attributes:
            return space.shape
        dims = self._read_attribute(attributes["dimensions"])
        # The attribute is in C order already; `reverse_size` expects Julia's order.
        shape = reverse_size(list(dims)[::-1] if isinstance(dims, (list, np.ndarray)) else [-1], 0)
        if space.kind == "simple" and math.prod(shape) != math.prod(space.shape):
            raise FileFormatError(
                f"an array has the shapes {space.shape} and {shape}", offset=attributes["dimensions"].offset
            )
        return shape

    def _make_empty(self, header: Header, type: Datatype) -> Any:
        """Return the value of a type without data, or an array of such values."""
        julia_type: Any = julia.BOTTOM
        if isinstance(type, Shared):
            committed = self._types[type.address]
            julia_type = committed.type
            if "dimensions" not in header.attributes:
                return self._read_committed(committed, memoryview(b""), header.offset, 0)
        shape = self._find_shape(header.attributes, Dataspace("null", (0,)))
        if math.prod(shape) == 0:
            return [] if len(shape) == 1 else make_object_array([], shape)
        return julia.Filled(make_instance(julia_type, header.offset), shape)

    def _read_attribute(self, attribute: Attribute) -> Any:
        space, type = attribute.dataspace, attribute.datatype
        if space.kind == "null":
            return None
        size = self._find_storage(type).size
        count = math.prod(space.shape) if space.kind == "simple" else 1
        if attribute.offset + size * count > attribute.end:
            raise FileFormatError("an attribute runs over its end", offset=attribute.offset)
        data = self._file.source.view(attribute.offset, size * count, "an attribute")
        if space.kind == "scalar":
            return self._read_element(type, data, attribute.offset, 0)
        if isinstance(type, Reference):
            return [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]
        value = self._read_array(type, data, space.shape, attribute.offset, 0)
        return value.tolist() if isinstance(value, np.ndarray) else value

    def _find_storage(self, type: Datatype) -> Any:
        """Return the datatype in which elements are stored: that of a committed type, or the datatype itself."""
        committed = self._find_committed(type)
        return type if committed is None else committed.datatype

    def _find_committed(self, type: Datatype) -> CommittedType | None:
        return self._types[type.address] if isinstance(type, Shared) else None

    # Arrays.

    def _read_array(self, type: Datatype, data: memoryview, shape: tuple[int, ...], place: int, address: int) -> Any:
        array = read_array_at_once(self._find_storage(type), self._find_committed(type), data, shape, place)
        if array is not None:
            return array
        size = self._find_storage(type).size
        if size == 0:
            raise FileFormatError("an array of elements without bytes", offset=place)
        values: list[Any] = []
        if len(shape) == 1 and address:
            # A vector may contain itself.
            self._made[address] = values
        for i in range(0, len(data), size):
            values.append(self._read_element(type, data[i : i + size], place + i, 0))
        return values if len(shape) == 1 else make_object_array(values, shape)

    # Elements.

    def _read_element(self, type: Datatype, data: memoryview, place: int, address: int) -> Any:
        """Return one element from its bytes; ``address`` is that of an object with this one element, 0 for others."""
        source = self._file.source
        source.charge_work(len(data), place)
        match type:
            case Shared():
                return self._read_committed(self._types[type.address], data, place, address)
            case Number(dtype=None):
                return int.from_bytes(data, "little", signed=type.signed)
            case Number():
                return make_scalar(read_array_at_once(type, None, data, (), place)[()])
            case Text():
                text = bytes(data)
                end = text.find(b"\0") if type.padding == 0 else -1
                text = text[:end] if end >= 0 else text.rstrip(b" ") if type.padding == 2 else text
                return _decode_text(memoryview(text), place)
            case Reference():
                return self._follow(data)
            case VariableLength():
                return self._read_variable(type, data, place)
            case ArrayOf():
                return self._read_array(type.element, data, type.shape, place, 0)
            case Compound():
                members = {m.name: data[m.offset : m.offset + m.type.size] for m in type.members}  # type: ignore[union-attr]
                values = [self._read_element(m.type, members[m.name], place + m.offset, 0) for m in type.members]
                return julia.NamedTuple(tuple(m.name for m in type.members), tuple(values))
            case _:
                return julia.Bits(None, bytes(data))

    def _follow(self, data: memoryview, *, named: bool = False) -> Any:
        target = int.from_bytes(data, "little")
        return julia.UNDEFINED if target in (0, UNDEFINED_ADDRESS) else self._read_or_hole(target, named=named)

    def _read_variable(self, type: VariableLength, data: memoryview, place: int) -> Any:
        found = read_heap_elements(self._file, data, self._find_storage(type.element).size, place)
        if found is None:
            return julia.UNDEFINED
        content, start, count = found
        if type.text:
            return _decode_text(content, start)
        if isinstance(type.element, Reference):
            return [self._read_element(type.element, content[8 * i : 8 * i + 8], start, 0) for i in range(count)]
        return self._read_array(type.element, content, (count,), start, 0)

    # Committed types.

    def _read_committed(self, committed: CommittedType, data: memoryview, place: int, address: int) -> Any:
        self._enter(place)
        try:
            if committed.written is None or committed.type is None:
                return self._read_of_type(committed, committed.type, data, place, address)
            dictionary = julia.Dict(committed.type, [])
            if address:
                self._made[address] = dictionary
            value = self._read_of_type(committed, committed.written, data, place, 0)
            result = convert_saved(committed.type, value, dictionary)
            if result is not dictionary and address:
                self._made[address] = _PENDING
            return result
        finally:
            self._depth -= 1

    def _read_of_type(self, committed: CommittedType, type: Any, data: memoryview, place: int, address: int) -> Any:
        storage = committed.datatype
        if type is None:
            return self._read_element(storage, data, place, 0)
        if committed.empty:
            return self._tuples.get_instance(type, place)
        if isinstance(storage, Opaque):
            return read_value(type, data, place)
        if isinstance(storage, Compound):
            return self._read_record(committed, storage, type, data, place, address)
        value = self._read_element(storage, data, place, 0)
        if isinstance(value, str) and isinstance(type, julia.TypeName) and type.path == "Core.Symbol":
            return julia.Symbol(value)
        return value

    def _read_record(
        self, committed: CommittedType, storage: Compound, type: Any, data: memoryview, place: int, address: int
    ) -> Any:
        members = {m.name: (i, m) for i, m in enumerate(storage.members)}
        path = type.path if isinstance(type, julia.TypeName) else ""
        if path in ("Core.DataType", "Core.Type") and members.keys() == {"name", "parameters"}:
            return self._read_type_value(storage, data, place)
        if path == "Core.Union" and "datatype" in members and "unionall" in members:
            return self._read_union(storage, data, place)
        if is_complex(type, storage):
            return make_scalar(read_array(type, data, (), place)[()])
        names = tuple(committed.fields) if committed.fields is not None else tuple(members)
        struct = julia.Struct(type, [], names)
        plain = not (
            is_function(type) or find_tuple_types(type) is not None or path in ("Core.NamedTuple", "Core.Tuple")
        )
        if plain and address:
            # A mutable struct may contain itself.
            self._made[address] = struct
        for name in names:
            if name not in members:
                inner = self._types[committed.find_member_type(name, -1)]
                struct.fields.append(self._read_committed(inner, memoryview(b""), place, 0))
                continue
            position, member = members[name]
            inner_address = committed.find_member_type(name, position)
            size = self._find_storage(member.type).size
            part = data[member.offset : member.offset + size]
            inner_type = Shared(inner_address) if inner_address not in (0, UNDEFINED_ADDRESS) else member.type
            if self._find_storage(inner_type).size != size:
                raise FileFormatError(f"the field {name} of {path} differs in size from its type", offset=place)
            if isinstance(inner_type, Reference):
                struct.fields.append(self._follow(part, named=True))
            else:
                struct.fields.append(self._read_element(inner_type, part, place + member.offset, 0))
        if is_gpu_array(type):
            struct = mark_unavailable(struct)
            if isinstance(struct, julia.Unavailable):
                return struct
        return self._tuples.finish(struct, place) if not plain else convert_special(struct)

    # Types as values.

    def _read_type_value(self, storage: Compound, data: memoryview, place: int) -> julia.TypeName:
        parts = {m.name: (m.type, data[m.offset : m.offset + 16], place + m.offset) for m in storage.members}
        name = self._read_element(*parts["name"], 0)
        params = self._read_references(*parts["parameters"])
        if not isinstance(name, str) or not name:
            raise FileFormatError("a type has no name", offset=place)
        self._sizes.check(params, place)
        if name in ("Tuple", "NTuple"):
            return julia.TypeName(("Core",), name, params)
        module, last = julia.split_dotted(name)
        return julia.TypeName(module, last, params)

    def _read_union(self, storage: Compound, data: memoryview, place: int) -> julia.Union:
        parts = {m.name: (m.type, data[m.offset : m.offset + 16], place + m.offset) for m in storage.members}
        types = (*self._read_references(*parts["datatype"]), *self._read_references(*parts["unionall"]))
        self._sizes.check(types, place)
        return julia.Union(types)

    def _read_references(self, type: Datatype, data: memoryview, place: int) -> tuple[Any, ...]:
        if not isinstance(type, VariableLength) or not isinstance(type.element, Reference):
            raise FileFormatError("the parameters of a type are no references", offset=place)
        value = self._read_variable(type, data, place)
        if value is julia.UNDEFINED:
            return ()
        for hole in value:
            if isinstance(hole, julia.Unavailable):  # a value cannot be read without its complete type
                raise NotReadError(f"a type cannot be read: {hole.reason}", offset=place)
        return tuple(value)


def _decode_text(data: memoryview, place: int) -> str:
    try:
        return bytes(data).decode()
    except UnicodeDecodeError:
        raise FileFormatError("a text is no UTF-8", offset=place) from None
