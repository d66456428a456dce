"""Classes for Julia's functions and their lowered code. The code can be printed; only Julia can run it."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from luxport.porting.julia._types import TypeName, Union, UnionAll
from luxport.porting.julia._values import Module, Struct, Symbol, format_integer

__all__ = ["Function", "Method"]


@dataclass(frozen=True, eq=False)
class Method:
    """One method of an anonymous function, in Julia's lowered form.

    ``arguments`` are the names of its arguments, without the function itself. ``slots`` are the names of all local
    variables, the function's own first: slot n of the code is ``slots[n - 1]``. ``statements`` is the code as values of
    type `Struct`: expressions ``Core.Expr`` (head, arguments), results ``Core.SSAValue`` (the 1-based number
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
        return _write_method(self)


@dataclass(frozen=True, eq=False)
class Function:
    """A named function, or a closure with the variables it captured.

    A named function has a type like ``typeof(NNlib.relu)``, whose name is ``#relu``; ``name`` drops the ``#``.
    An anonymous function has a name like ``#3#4``, and in BSON ``methods`` has its lowered code.
    """

    type: TypeName
    captured: list[Any] = field(default_factory=list)
    names: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The name without the ``#`` that begins the name of a function's type: ``"relu"``."""
        return self.type.name.removeprefix("#") if not self.anonymous else self.type.name

    @property
    def path(self) -> str:
        """The name with its modules, ``"NNlib.relu"``."""
        return ".".join((*self.type.module, self.name))

    @property
    def anonymous(self) -> bool:
        """Whether the function has no name of its own, as ``x -> ...``."""
        return bool(self.type.methods) or "#" in self.type.name.removeprefix("#")

    @property
    def methods(self) -> list[Method]:
        """The lowered code. Empty for a named function and in JLD2, which stores functions by name only."""
        return self.type.methods

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        captured = f", captured={self.captured!r}" if self.captured else ""
        return f"Function({self.path}{captured})"


_MOST_NODES = 4000
_LONGEST_NAME = 200


def _write_method(method: Method) -> str:
    """Return a method as text: a line with its name and arguments, then one numbered line a statement."""
    printer = _Printer(method)
    arguments = ", ".join(name[:_LONGEST_NAME] for name in method.arguments[:_LONGEST_NAME])
    lines = [f"function {method.name[:_LONGEST_NAME]}({arguments})  # {method.file[:_LONGEST_NAME]}:{method.line}"]
    for number, statement in enumerate(method.statements, 1):
        lines.append(f"    %{number} = {printer.show(statement)}")
        if printer.is_full:
            break
    return "\n".join([*lines, "end"])


class _Printer:
    """Print statements, at most `_MOST_NODES` nodes of them.

    A value that contains itself, or one that appears very often, would otherwise be printed without end.
    """

    def __init__(self, method: Method) -> None:
        self._slots = method.slots
        self._left = _MOST_NODES

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached, so that nothing more is printed."""
        return self._left < 0

    def show(self, node: Any, depth: int = 0) -> str:
        self._left -= 1
        if self._left < 0 or depth > 30:
            return "…"
        if not isinstance(node, (Struct, list, tuple)):
            return self._print_leaf(node)[:_LONGEST_NAME]
        match node:
            case Struct(type=TypeName() as type):
                return self._print_struct(type.path[:_LONGEST_NAME], node.fields, depth + 1)
            case list() | tuple():
                return f"({self._print_all(node, depth)})"
            case _:
                return str(node.type)[:_LONGEST_NAME]

    def _print_leaf(self, node: Any) -> str:
        match node:
            case Symbol():
                return f":{node.name}"
            case Module():
                return ".".join(node.path)
            case Function():
                return node.path
            case str():
                return f'"{node[:200]}"'
            case None:
                return "nothing"
            case np.ndarray():
                return f"array{node.shape}"
            case bool():
                return str(node).lower()
            case int():
                return format_integer(node)
            case TypeName() | UnionAll() | Union() | float() | np.generic():
                return str(node)
            case _:
                return type(node).__name__

    def _print_all(self, nodes: Any, depth: int) -> str:
        shown = []
        for node in nodes:
            shown.append(self.show(node, depth + 1))
            if self.is_full:
                break
        return ", ".join(shown)

    def _print_struct(self, path: str, fields: list[Any], depth: int) -> str:
        match path, fields:
            case "Core.SSAValue", [int(number)]:
                return f"%{number}"
            case (("Core.SlotNumber" | "Core.Argument"), [int(number)]):
                return self._slots[number - 1][:_LONGEST_NAME] if 0 < number <= len(self._slots) else f"slot{number}"
            case "Core.GlobalRef", [module, Symbol(name), *_]:
                return f"{self.show(module, depth)}.{name[:_LONGEST_NAME]}"
            case "Core.QuoteNode", [value]:
                return self.show(value, depth)
            case "Core.ReturnNode", [value]:
                return f"return {self.show(value, depth)}"
            case "Core.GotoNode", [label]:
                return f"goto %{self.show(label, depth)}"
            case "Core.GotoIfNot", [condition, label]:
                return f"unless {self.show(condition, depth)} goto %{self.show(label, depth)}"
            case "Core.Expr", [Symbol(head), list(parts), *_]:
                return self._print_expression(head, parts, depth)
            case _:
                return f"{path}({self._print_all(fields, depth)})"

    def _print_expression(self, head: str, parts: list[Any], depth: int) -> str:
        match head, parts:
            case "call", [function, *arguments]:
                return f"{self.show(function, depth)}({self._print_all(arguments, depth)})"
            case "=", [target, value]:
                return f"{self.show(target, depth)} = {self.show(value, depth)}"
            case "return", [value]:
                return f"return {self.show(value, depth)}"
            case "gotoifnot", [condition, label]:
                return f"unless {self.show(condition, depth)} goto %{self.show(label, depth)}"
            case _:
                return f"{head[:_LONGEST_NAME]}({self._print_all(parts, depth)})"
