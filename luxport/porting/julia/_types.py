"""Classes for Julia's types, which print in Julia's own notation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from luxport.porting.julia._values import NamedTuple, Struct, Symbol, Value, format_integer

__all__ = ["BOTTOM", "TypeName", "TypeVar", "Union", "UnionAll", "split_dotted", "name_type"]


@dataclass(frozen=True)
class TypeName:
    """A concrete type: the modules it is in, its name, and its parameters (types, numbers, symbols, tuples).

    ``str`` gives Julia's notation. For an anonymous function ``methods`` has its code, which equality ignores.

    >>> float32 = TypeName(("Core",), "Float32")
    >>> str(TypeName(("Core",), "Array", (float32, 2)))
    'Core.Array{Core.Float32, 2}'
    """

    module: tuple[str, ...]
    name: str
    params: tuple[Any, ...] = ()
    methods: list[Any] = field(default_factory=list, repr=False, compare=False)

    @property
    def path(self) -> str:
        """The name with its modules and without parameters, ``"Flux.Dense"``."""
        return ".".join((*self.module, self.name))

    def __str__(self) -> str:
        return f"{self.path}{{{', '.join(_write_notation(p) for p in self.params)}}}" if self.params else self.path


BOTTOM: Final = TypeName(("Core",), "Union{}")
"""Julia's empty type ``Union{}``, which has no values."""


@dataclass(frozen=True)
class TypeVar:
    """A type variable of a `UnionAll`, with its lower and upper bound."""

    name: str
    lower: Any = BOTTOM
    upper: Any = TypeName(("Core",), "Any")

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class UnionAll:
    """A type with a free type variable: ``body where variable``."""

    variable: Any
    body: Any

    def __str__(self) -> str:
        return f"{_write_notation(self.body)} where {_write_notation(self.variable)}"


@dataclass(frozen=True)
class Union:
    """A union of types: ``Union{types...}``."""

    types: tuple[Any, ...]

    def __str__(self) -> str:
        return f"Union{{{', '.join(_write_notation(t) for t in self.types)}}}"


def name_type(value: Value) -> str:
    """Return the name of a value's type for a message: with its modules, without its parameters.

    >>> name_type(Struct(TypeName(("Flux",), "Chain", (TypeName((), "Tuple"),)), []))
    'Flux.Chain'
    """
    if not isinstance(value, Struct):
        return type(value).__name__
    return value.type.path if isinstance(value.type, TypeName) else str(value.type)


def split_dotted(path: str) -> tuple[tuple[str, ...], str]:
    """Split a dotted name into its modules and the name; a leading ``Main`` before another module is dropped.

    The name of a function's type begins with ``#`` and may itself contain dots.

    >>> split_dotted("Main.Base.#identity"), split_dotted("Main.Policy"), split_dotted("Base.#.+")
    ((('Base',), '#identity'), (('Main',), 'Policy'), (('Base',), '#.+'))

    The module of a notebook has a ``#`` in its name, too:

    >>> split_dotted("Main.workspace#4.Policy"), split_dotted("Main.workspace#4.#relu")
    ((('workspace#4',), 'Policy'), (('workspace#4',), '#relu'))
    """
    mark = 0 if path.startswith("#") else path.find(".#") + 1 or -1
    end = path.rfind(".") if mark < 0 else path.rfind(".", 0, mark)
    modules = tuple(path[:end].split(".")) if end > 0 else ()
    return drop_main(modules), path[end + 1 :] if end > 0 else path


def drop_main(modules: tuple[str, ...]) -> tuple[str, ...]:
    """Return module names without a leading ``Main``, which is kept only where it stands alone."""
    return modules[1:] if len(modules) > 1 and modules[0] == "Main" else modules


def _write_notation(param: Value) -> str:
    match param:
        case Symbol():
            return f":{param.name}"
        case bool():
            return str(param).lower()
        case int():
            return format_integer(param)
        case None:
            return "nothing"
        case tuple():
            return f"({', '.join(_write_notation(p) for p in param)}{',' if len(param) == 1 else ''})"
        case NamedTuple():
            pairs = zip(param.names, param.values, strict=True)
            return f"({', '.join(f'{name} = {_write_notation(value)}' for name, value in pairs)})"
        case Struct():
            return f"{param.type}({', '.join(_write_notation(value) for value in param.fields)})"
        case _:
            return str(param)
