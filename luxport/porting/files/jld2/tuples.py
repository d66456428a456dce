"""Functions, tuples and named tuples, of which JLD2 leaves out the elements that have no data."""

from __future__ import annotations

from typing import Any

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.files.source import Source
from luxport.porting.julia.type_rules import find_named_tuple_names, find_tuple_types, is_function, make_instance

__all__ = ["Tuples"]


class Tuples:
    """Makes them of the elements that are stored and of those that their types know."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._instances: dict[int, tuple[Any, Any]] = {}

    def instance(self, type: Any, place: int) -> Any:
        """Return the one value of a type without data, the same object each time."""
        if id(type) not in self._instances:
            self._instances[id(type)] = (make_instance(type, place), type)
        return self._instances[id(type)][0]

    def finish(self, struct: julia.Struct, place: int) -> Any:
        """Return a function, tuple or named tuple, with the elements that have no data and were left out."""
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
        # The number of elements is the type's word alone.
        self._source.work(8 * len(keys), place)
        if types is None or len(types) != len(keys):
            if keys != tuple(stored):
                raise FileFormatError("a named tuple has other elements than its type says", offset=place)
            return tuple(stored.values())
        return tuple(
            stored[key] if key in stored else self.instance(type, place) for key, type in zip(keys, types, strict=True)
        )
