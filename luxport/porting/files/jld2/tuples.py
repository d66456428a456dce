"""Complete functions, tuples and named tuples: JLD2 omits elements whose type has a single value, without data."""

from __future__ import annotations

from typing import Any

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.files.source import Source
from luxport.porting.julia.type_rules import find_named_tuple_names, find_tuple_types, is_function, make_instance

__all__ = ["Tuples"]


class Tuples:
    """Makes functions, tuples and named tuples from their stored elements and from their types."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._instances: dict[int, tuple[Any, Any]] = {}

    def get_instance(self, type: Any, place: int) -> Any:
        """Return the only value of a type without data, which is the same object each time."""
        if id(type) not in self._instances:
            self._instances[id(type)] = (make_instance(type, place), type)
        return self._instances[id(type)][0]

    def finish(self, struct: julia.Struct, place: int) -> Any:
        """Return the function, tuple or named tuple of a struct, including the elements that the file omits."""
        type, names = struct.type, struct.names or ()
        if is_function(type):
            return julia.Function(type, struct.fields, names)
        stored = dict(zip(names, struct.fields, strict=True))
        keys = find_named_tuple_names(type)
        if keys is not None:
            types = find_tuple_types(type.params[1]) if len(type.params) == 2 else None
            return julia.NamedTuple(keys, self._read_elements(keys, types, stored, place))
        types = find_tuple_types(type)
        if types is not None and (types or not stored):
            return self._read_elements(tuple(str(i) for i in range(1, len(types) + 1)), types, stored, place)
        return tuple(struct.fields)

    def _read_elements(
        self, keys: tuple[str, ...], types: tuple[Any, ...] | None, stored: dict[str, Any], place: int
    ) -> tuple[Any, ...]:
        # A type can claim any number of elements without storing them, so they are charged as work.
        self._source.charge_work(8 * len(keys), place)
        if types is None or len(types) != len(keys):
            if keys != tuple(stored):
                raise FileFormatError("the elements of a named tuple differ from those of its type", offset=place)
            return tuple(stored.values())
        return tuple(
            stored[key] if key in stored else self.get_instance(type, place)
            for key, type in zip(keys, types, strict=True)
        )
