"""Julia's values as plain Python: the tree that the readers of BSON.jl and JLD2 both give.

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
``Array`` of empty elements  `Filled`: one element and a shape
``Array`` of unknown bits    `BitsArray`: the element type, a shape and the bytes
``Tuple``, ``SimpleVector``  ``tuple``
``NamedTuple``               `NamedTuple`
``Dict{Symbol,Any}`` (BSON)  ``dict``; so is what a file or a group of JLD2 holds
other ``Dict``               `Dict`: its type and its pairs
a struct                     `Struct`: its type, its fields and, where the format has them, their names
a function or a closure      `Function`: its type, what it captured and, in BSON, its lowered code
``Module``                   `Module`
a type                       `TypeName`, `UnionAll`, `Union`, `TypeVar`
a primitive value            `Bits`, if its type is none of the above
an object saved as another   `Converted`
memory of a GPU, a pointer   `Unavailable`: the file never held it
===========================  ==================================================================

Names of modules have no leading ``Main`` where another module follows: ``Main.Base`` is ``Base``.
BSON does not tell Int32 from Int64, nor ``Vector{Any}`` from other vectors of objects: they are ``int`` and ``list``.
It stores the fields of a struct without names, so ``Struct.names`` is ``None`` there. JLD2 stores names, but files
of JLD2 before 0.4.54 leave out the fields without data (functions, ``nothing``, empty tuples): then ``names`` lacks
them, and the parameters of the type say what they were.

The tree is a graph: an object that Julia shared is one object here, and a mutable struct may contain itself. Whoever
walks it keeps a memo, as `walk` does. Nothing in it may be changed.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np

__all__ = [
    "BOTTOM",
    "MISSING",
    "UNDEFINED",
    "Bits",
    "BitsArray",
    "Char",
    "Converted",
    "Dict",
    "Filled",
    "Function",
    "Method",
    "Module",
    "NamedTuple",
    "Struct",
    "Symbol",
    "TypeName",
    "TypeVar",
    "Unavailable",
    "Union",
    "UnionAll",
    "Value",
    "children",
    "dotted",
    "every",
    "type_path",
    "walk",
    "whole_number",
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
    """``:name``."""

    name: str


@dataclass(frozen=True)
class Char:
    """One character. Its ``value`` is empty where Julia's was no valid Unicode."""

    value: str


@dataclass(frozen=True)
class Module:
    """A module by its path, ``("Flux", "Losses")``."""

    path: tuple[str, ...]


@dataclass(frozen=True)
class TypeName:
    """A concrete type: the modules it is in, its name, and its parameters (types, numbers, symbols, tuples).

    ``str`` gives Julia's own notation. For an anonymous function ``methods`` has its code; it is no part of equality.

    >>> float32 = TypeName(("Core",), "Float32")
    >>> str(TypeName(("Core",), "Array", (float32, 2)))
    'Core.Array{Core.Float32, 2}'
    """

    module: tuple[str, ...]
    name: str
    params: tuple[Any, ...] = ()
    methods: list[Method] = field(default_factory=list, repr=False, compare=False)

    @property
    def path(self) -> str:
        """The name with its modules and without parameters, ``"Flux.Dense"``."""
        return ".".join((*self.module, self.name))

    def __str__(self) -> str:
        return f"{self.path}{{{', '.join(_notation(p) for p in self.params)}}}" if self.params else self.path


BOTTOM: Final = TypeName(("Core",), "Union{}")
"""The type without values, ``Union{}``."""


@dataclass(frozen=True)
class TypeVar:
    """A variable of a `UnionAll`, with its bounds."""

    name: str
    lower: Any = BOTTOM
    upper: Any = TypeName(("Core",), "Any")

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class UnionAll:
    """``body where variable``."""

    variable: Any
    body: Any

    def __str__(self) -> str:
        return f"{_notation(self.body)} where {_notation(self.variable)}"


@dataclass(frozen=True)
class Union:
    """``Union{types...}``."""

    types: tuple[Any, ...]

    def __str__(self) -> str:
        return f"Union{{{', '.join(_notation(t) for t in self.types)}}}"


@dataclass(frozen=True)
class NamedTuple:
    """``(names[0] = values[0], ...)``."""

    names: tuple[str, ...]
    values: tuple[Any, ...]

    def __getitem__(self, name: str) -> Any:
        return self.values[self.names.index(name)]


@dataclass(frozen=True, eq=False)
class Struct:
    """A value of a composite type: its fields in order, and their names where the format has them (else None)."""

    type: Any
    fields: list[Any]
    names: tuple[str, ...] | None = None

    def __getitem__(self, name: str) -> Any:
        if self.names is None:
            raise KeyError(f"{self.type} has no names for its fields in this format; use fields[i]")
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
    """An ``AbstractDict`` with its type and its ``(key, value)`` pairs in the order of the file."""

    type: Any
    pairs: list[tuple[Any, Any]]


@dataclass(frozen=True, eq=False)
class Method:
    """One method of an anonymous function, in Julia's lowered form.

    ``arguments`` are the names of its arguments, the function itself left out. ``slots`` are the names of all local
    variables, the function's own first: slot n of the code is ``slots[n - 1]``. ``statements`` is the code, whose parts
    are of the type `Struct`: expressions ``Core.Expr`` (head, arguments), results ``Core.SSAValue`` (the 1-based number
    of the statement), variables ``Core.SlotNumber``, globals ``Core.GlobalRef`` (module, name). ``code`` is the whole
    ``Core.CodeInfo``.
    """

    name: str
    module: Any
    file: str
    line: int
    signature: Any
    arguments: tuple[str, ...]
    slots: tuple[str, ...]
    statements: list[Any]
    code: Any

    def __str__(self) -> str:
        """Return the code as text, one statement a line."""
        from luxport.porting.julia.lowered_code import text

        return text(self)


@dataclass(frozen=True, eq=False)
class Function:
    """A function by name, or a closure with what it captured.

    A named function has a type like ``typeof(NNlib.relu)``, whose name is ``#relu``; ``name`` leaves the mark out.
    An anonymous function has a name like ``#3#4``, and in BSON ``methods`` has its lowered code.
    """

    type: TypeName
    captured: list[Any] = field(default_factory=list)
    names: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The name without the mark of a function's type, ``"relu"``."""
        return self.type.name.removeprefix("#") if not self.anonymous else self.type.name

    @property
    def path(self) -> str:
        """The name with its modules, ``"NNlib.relu"``."""
        return ".".join((*self.type.module, self.name))

    @property
    def anonymous(self) -> bool:
        """Whether the function was written in place, as ``x -> ...``."""
        return bool(self.type.methods) or "#" in self.type.name.removeprefix("#")

    @property
    def methods(self) -> list[Method]:
        """The lowered code; empty for a named function, and in JLD2, which stores functions by name only."""
        return self.type.methods

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        captured = f", captured={self.captured!r}" if self.captured else ""
        return f"Function({self.path}{captured})"


@dataclass(frozen=True)
class Bits:
    """A value of a primitive type that has no counterpart here, as its bytes (little-endian)."""

    type: Any
    data: bytes


@dataclass(frozen=True, eq=False)
class BitsArray:
    """An array whose elements are plain bits of a type that has no counterpart here; the axes are reversed."""

    type: Any
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, eq=False)
class Filled:
    """An array of ``shape`` whose elements are all ``value`` because their type has only one."""

    value: Any
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Converted:
    """An object of ``type`` that its package saved as another value."""

    type: Any
    value: Any


@dataclass(frozen=True)
class Unavailable:
    """A value that the file does not hold, and why."""

    type: Any
    reason: str


def children(value: Value) -> Iterator[tuple[str, Value]]:
    """Yield what a value contains, each with the name or the position it has there; types are not entered."""
    match value:
        case dict():
            yield from value.items()
        case tuple() | list():
            yield from ((str(i), child) for i, child in enumerate(value))
        case NamedTuple():
            yield from zip(value.names, value.values, strict=True)
        case Struct():
            names = value.names or tuple(str(i) for i in range(len(value.fields)))
            yield from zip(names, value.fields, strict=True)
        case Dict():
            yield from ((_key(key), child) for key, child in value.pairs)
        case Function():
            names = value.names or tuple(str(i) for i in range(len(value.captured)))
            yield from zip(names, value.captured, strict=True)
        case Converted() | Filled():
            yield "value", value.value
        case np.ndarray() if value.dtype == object:
            yield from ((str(i), child) for i, child in enumerate(value.ravel()))
        case _:
            return


def walk(tree: Value) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Yield every value of a tree once, with the path on which it was first met, parents before children.

    >>> [(path, value) for path, value in walk({"a": [1, None]}) if path]
    [(('a',), [1, None]), (('a', '0'), 1), (('a', '1'), None)]
    """
    seen: set[int] = set()
    # A path is made when its value is reached: thousands that wait, each thousands long, would not fit into memory.
    pending: list[tuple[tuple[str, ...], str | None, Value]] = [((), None, tree)]
    while pending:
        path, name, value = pending.pop()
        if _can_be_shared(value):
            if id(value) in seen:
                continue
            seen.add(id(value))
        path = path if name is None else (*path, name)
        yield path, value
        pending.extend(reversed([(path, name, child) for name, child in children(value)]))


def every(tree: Value) -> Iterator[Value]:
    """Yield every value of a tree once, in the order of `walk`, whose paths cost more the deeper the tree is."""
    seen: set[int] = set()
    pending: list[Value] = [tree]
    while pending:
        value = pending.pop()
        if _can_be_shared(value):
            if id(value) in seen:
                continue
            seen.add(id(value))
        yield value
        match value:
            case Struct():
                inner: Any = value.fields
            case list() | tuple():
                inner = value
            case None | bool() | int() | float() | str():
                continue
            case _:
                inner = [child for _, child in children(value)]
        pending.extend(reversed(inner))


def _can_be_shared(value: Value) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype == object
    return isinstance(value, _CONTAINERS) and value != ()


# What can be shared; numbers and strings may be one object in many places and still be many values.
_CONTAINERS = (dict, list, tuple, NamedTuple, Struct, Dict, Function, Converted, Filled)


def type_path(value: Value) -> str:
    """Return the type of a value as a message names it: with its modules, and without its parameters.

    >>> type_path(Struct(TypeName(("Flux",), "Chain", (TypeName((), "Tuple"),)), []))
    'Flux.Chain'
    """
    if not isinstance(value, Struct):
        return type(value).__name__
    return value.type.path if isinstance(value.type, TypeName) else str(value.type)


def dotted(path: str) -> tuple[tuple[str, ...], str]:
    """Split a dotted name into modules and name, without a leading ``Main`` before another module.

    A function's type begins with ``#`` and may have dots of its own.

    >>> dotted("Main.Base.#identity"), dotted("Main.Policy"), dotted("Base.#.+")
    ((('Base',), '#identity'), (('Main',), 'Policy'), (('Base',), '#.+'))

    So may a module's name, where it is a notebook's:

    >>> dotted("Main.workspace#4.Policy"), dotted("Main.workspace#4.#relu")
    ((('workspace#4',), 'Policy'), (('workspace#4',), '#relu'))
    """
    mark = 0 if path.startswith("#") else path.find(".#") + 1 or -1
    end = path.rfind(".") if mark < 0 else path.rfind(".", 0, mark)
    modules = tuple(path[:end].split(".")) if end > 0 else ()
    return without_main(modules), path[end + 1 :] if end > 0 else path


def without_main(modules: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out a leading ``Main`` before another module."""
    return modules[1:] if len(modules) > 1 and modules[0] == "Main" else modules


def whole_number(number: int) -> str:
    """Return a whole number as text; one of thousands of digits, which Python does not write in tens, in sixteens.

    >>> whole_number(-12), whole_number(1 << 4000)[:6]
    ('-12', '0x1000')
    """
    return str(number) if number.bit_length() <= 2000 else hex(number)


def _key(key: Value) -> str:
    match key:
        case str():
            return key
        case Symbol():
            return key.name
        case np.ndarray():
            return f"{key.dtype.name} array {key.shape}"
        case Struct() | Function() | Converted() | Bits() | BitsArray():
            return str(key.type)
        case dict() | list() | Dict():
            return type(key).__name__
        case int() if not isinstance(key, bool):
            return whole_number(key)
        case _:
            return str(key)


def _notation(param: Value) -> str:
    match param:
        case Symbol():
            return f":{param.name}"
        case bool():
            return str(param).lower()
        case int():
            return whole_number(param)
        case None:
            return "nothing"
        case tuple():
            return f"({', '.join(_notation(p) for p in param)}{',' if len(param) == 1 else ''})"
        case NamedTuple():
            pairs = zip(param.names, param.values, strict=True)
            return f"({', '.join(f'{name} = {_notation(value)}' for name, value in pairs)})"
        case Struct():
            return f"{param.type}({', '.join(_notation(value) for value in param.fields)})"
        case _:
            return str(param)
