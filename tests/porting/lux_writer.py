"""Write Lux's structs as JLD2 does, in the old form and the new one, on top of `jld2_writer`."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import jld2_writer as jw
import numpy as np


@dataclass(frozen=True)
class Type:
    """A type by its path and parameters; as a value, the only value of a type without data."""

    path: str
    params: tuple[Any, ...] = ()


@dataclass
class Obj:
    """A struct: its type and its fields, in the order of the definition."""

    type: Type
    fields: dict[str, Any] = field(default_factory=dict)


class NT(dict):
    """A NamedTuple."""


NOTHING = Type("Core.Nothing")
COLON = Type("Base.Colon")


def function(path: str) -> Type:
    """Return the function at a path, written as its type."""
    module, _, name = path.rpartition(".")
    return Type(f"{module}.#{name}")


def static(value: Any) -> Type:
    """Return a value of Static.jl."""
    return Type(f"Static.{value}") if isinstance(value, bool) else Type("Static.StaticInt", (value,))


class LuxWriter(jw.JLD2Writer):
    """Writes trees of these values."""

    def param(self, value: Any) -> int:
        """Write a type's parameter."""
        match value:
            case Type():
                return self.type_value(value.path, *map(self.param, value.params))
            case bool():
                return self.scalar(jw.BOOL, bytes([value]))
            case int():
                return self.scalar(jw.INT64, struct.pack("<q", value))
            case str():
                return self.scalar(jw.shared(self.symbol()), self.text(value))
        raise TypeError(value)

    def symbol(self) -> int:
        return self.commit(self.type_record("Core.Symbol"), jw.TEXT)

    def member(self, value: Any) -> tuple[bytes | None, int, bytes, int]:
        """Return a value's form in a record: datatype, committed type, bytes, and its type as a parameter."""
        match value:
            case Type():
                committed = self.singleton(value.path, *map(self.param, value.params))
                return None, committed, b"", self.param(value)
            case bool():
                return (
                    jw.BOOL,
                    self.commit(self.type_record("Core.Bool"), jw.BOOL),
                    bytes([value]),
                    self.param(Type("Core.Bool")),
                )
            case int():
                return jw.INT64, 0, struct.pack("<q", value), self.param(Type("Core.Int64"))
            case float():
                return jw.FLOAT32, 0, struct.pack("<f", value), self.param(Type("Core.Float32"))
            case str():
                return jw.TEXT, 0, self.text(value), self.param(Type("Core.String"))
        return jw.REFERENCE, 0, struct.pack("<Q", self.value(value)), self.param(Type("Core.Any"))

    def value(self, value: Any) -> int:
        """Write a value as an object of its own."""
        match value:
            case np.ndarray():
                return self.array(value, jw.FLOAT32)
            case Type():
                return self.null(jw.shared(self.singleton(value.path, *map(self.param, value.params))))
            case Obj():
                params = tuple(map(self.param, value.type.params))
                return self.record(value.type.path, params, value.fields)
            case NT():
                count = self.param(len(value))
                symbol = self.symbol()
                keys = [str(i + 1) for i in range(len(value))]
                if not value:
                    return self.value(Type("Core.NamedTuple", (Type("Core.Tuple"),)))
                names_of = self.commit(
                    self.type_record("NTuple", count, symbol),
                    jw.compound([(key, jw.TEXT) for key in keys]),
                    fields=[(key, symbol) for key in keys],
                )
                names = self.scalar(jw.shared(names_of), b"".join(map(self.text, value)))
                members = {name: self.member(entry) for name, entry in value.items()}
                types = self.type_value("Core.Tuple", *[member[3] for member in members.values()])
                return self.record("Core.NamedTuple", (names, types), value, members)
            case tuple():
                fields = {str(i + 1): entry for i, entry in enumerate(value)}
                members = {name: self.member(entry) for name, entry in fields.items()}
                return self.record("Core.Tuple", tuple(member[3] for member in members.values()), fields, members)
        datatype, _, data, _ = self.member(value)
        assert datatype is not None
        return self.scalar(datatype, data)

    def record(self, path: str, params: tuple[int, ...], fields: dict[str, Any], members: Any = None) -> int:
        """Write a struct; the old form leaves out fields without data."""
        members = members or {name: self.member(entry) for name, entry in fields.items()}
        stored = [(name, datatype) for name, (datatype, *_) in members.items() if datatype is not None]
        if not stored:
            return self.null(jw.shared(self.singleton(path, *params)))
        named = [
            (name, committed)
            for name, (datatype, committed, *_) in members.items()
            if datatype is not None or self._form == "new"
        ]
        kind = self.commit(self.type_record(path, *params), jw.compound(stored), fields=named)
        return self.scalar(jw.shared(kind), b"".join(data for _, _, data, _ in members.values()))


def save_values(form: str, **values: Any) -> bytes:
    """Return a file with values under these names."""
    writer = LuxWriter(form)
    return writer.finish(**{name: writer.value(value) for name, value in values.items()})
