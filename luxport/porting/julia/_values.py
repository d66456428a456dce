"""Classes for Julia's values: the tree that the readers of BSON.jl and JLD2 return.

===========================  ==================================================================
in Julia                     here
===========================  ==================================================================
``nothing``, ``missing``     ``None``, `MISSING`
undefined field or element   `UNDEFINED`
``Bool Int64 Float64``       ``bool int float``; ``Int128`` and ``BigInt`` are ``int`` too
other numbers                NumPy scalars: ``numpy.float32``, ``numpy.uint8``, ``numpy.complex64``
``Char``, ``String``         `Char`, ``str``
``Symbol``                   `Symbol`
``Array`` of numbers         ``numpy.ndarray``, axes reversed, read-only, without a copy where aligned
other ``Vector``             ``list``
other ``Array``              ``numpy.ndarray`` of objects, axes reversed
``Array`` of singletons      `Filled`: one element and a shape
``Array`` of unknown bits    `BitsArray`: the element type, a shape and the bytes
``Tuple``, ``SimpleVector``  ``tuple``
``NamedTuple``               `NamedTuple`
``Dict{Symbol,Any}`` (BSON)  ``dict``; so is what a file or a group of JLD2 holds
other ``Dict``               `Dict`: its type and its pairs
a struct                     `Struct`: its type, its fields and, where the format has them, their names
a function or a closure      `Function`: its type, what it captured and, in BSON, its lowered code
``Module``                   `Module`
a type                       `TypeName`, `UnionAll`, `Union`, `TypeVar`
other primitive values       `Bits`
an object saved as another   `Converted`
memory of a GPU, a pointer   `Unavailable`: such values are never written to a file
===========================  ==================================================================

A leading ``Main`` before another module is dropped from names: ``Main.Base`` is ``Base``.
BSON does not distinguish Int32 from Int64, nor ``Vector{Any}`` from other vectors of objects: ``int`` and ``list``.
It stores the fields of a struct without names, so ``Struct.names`` is ``None`` there. JLD2 stores names, but files
of JLD2 before 0.4.54 omit fields without data (functions, ``nothing``, empty tuples): then ``names`` lacks them, and
only the parameters of the type say what they were.

The tree is really a graph: an object that Julia shared is one object here, too, and a mutable struct may contain
itself. Code that walks it must remember what it has seen, as `walk` does, and must not change anything.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

__all__ = [
    "MISSING",
    "UNDEFINED",
    "Bits",
    "BitsArray",
    "Char",
    "Converted",
    "Dict",
    "Filled",
    "Module",
    "NamedTuple",
    "Struct",
    "Symbol",
    "Unavailable",
    "Value",
    "format_integer",
]


Value: TypeAlias = Any
"""Any value of the table above."""


class _Singleton:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name


MISSING: Final = _Singleton("MISSING")
"""Julia's ``missing``."""


UNDEFINED: Final = _Singleton("UNDEFINED")
"""A field or an element that was never assigned."""


@dataclass(frozen=True)
class Symbol:
    """A symbol, ``:name``."""

    name: str


@dataclass(frozen=True)
class Char:
    """One character; ``value`` is empty if Julia's was not valid Unicode."""

    value: str


@dataclass(frozen=True)
class Module:
    """A module by its path, ``("Flux", "Losses")``."""

    path: tuple[str, ...]


@dataclass(frozen=True)
class NamedTuple:
    """A named tuple, ``(names[0] = values[0], ...)``."""

    names: tuple[str, ...]
    values: tuple[Any, ...]

    def __getitem__(self, name: str) -> Any:
        return self.values[self.names.index(name)]


@dataclass(frozen=True, eq=False)
class Struct:
    """A struct: its fields in order, and their names, or None where the file has none."""

    type: Any
    fields: list[Any]
    names: tuple[str, ...] | None = None

    def __getitem__(self, name: str) -> Any:
        if self.names is None:
            raise KeyError(f"{self.type} has fields without names in this file: use fields[i]")
        if name not in self.names:
            raise KeyError(f"{self.type} has the fields {', '.join(self.names)} in this file, not {name}")
        return self.fields[self.names.index(name)]

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        if self.names is None:
            return f"Struct({self.type}, {self.fields!r})"
        return f"Struct({self.type}, {', '.join(f'{n}={v!r}' for n, v in zip(self.names, self.fields, strict=True))})"


@dataclass(frozen=True, eq=False)
class Dict:
    """A dictionary: its type and its ``(key, value)`` pairs in the order of the file."""

    type: Any
    pairs: list[tuple[Any, Any]]


@dataclass(frozen=True)
class Bits:
    """A value of a primitive type without a counterpart in Python, as its little-endian bytes."""

    type: Any
    data: bytes


@dataclass(frozen=True, eq=False)
class BitsArray:
    """An array of a bits type without a counterpart in NumPy: its bytes, and its shape with the axes reversed."""

    type: Any
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, eq=False)
class Filled:
    """An array of ``shape`` whose elements are all ``value``, because their type has only that one value."""

    value: Any
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Converted:
    """An object of ``type`` that its package saved as a value of another type."""

    type: Any
    value: Any


@dataclass(frozen=True)
class Unavailable:
    """A value that the file does not contain, and the reason."""

    type: Any
    reason: str


def format_integer(number: int) -> str:
    """Return an integer as text: in decimal, or in hexadecimal if Python refuses because it has thousands of digits.

    >>> format_integer(-12), format_integer(1 << 4000)[:6]
    ('-12', '0x1000')
    """
    return str(number) if number.bit_length() <= 2000 else hex(number)
