"""Julia's lowered code as text, for people: what a function in a file did, where nobody but Julia can run it."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport.porting import julia

__all__ = ["text"]

_LONGEST = 4000
_LONGEST_NAME = 200


def text(method: julia.Method) -> str:
    """Return a method as text: its head, and one numbered statement a line."""
    printer = _Printer(method)
    arguments = ", ".join(name[:_LONGEST_NAME] for name in method.arguments[:_LONGEST_NAME])
    lines = [f"function {method.name[:_LONGEST_NAME]}({arguments})  # {method.file[:_LONGEST_NAME]}:{method.line}"]
    for number, statement in enumerate(method.statements, 1):
        lines.append(f"    %{number} = {printer.show(statement)}")
        if printer.full:
            break
    return "\n".join([*lines, "end"])


class _Printer:
    """Prints statements; what refers to itself, or is long by sharing, ends in an ellipsis."""

    def __init__(self, method: julia.Method) -> None:
        self._slots = method.slots
        self._left = _LONGEST

    @property
    def full(self) -> bool:
        """Whether no more is printed."""
        return self._left < 0

    def show(self, node: Any, depth: int = 0) -> str:
        self._left -= 1
        if self._left < 0 or depth > 30:
            return "…"
        if not isinstance(node, (julia.Struct, list, tuple)):
            return self._leaf(node)[:_LONGEST_NAME]
        match node:
            case julia.Struct(type=julia.TypeName() as type):
                return self._struct(type.path[:_LONGEST_NAME], node.fields, depth + 1)
            case list() | tuple():
                return f"({self._all(node, depth)})"
            case _:
                return str(node.type)[:_LONGEST_NAME]

    def _leaf(self, node: Any) -> str:
        match node:
            case julia.Symbol():
                return f":{node.name}"
            case julia.Module():
                return ".".join(node.path)
            case julia.Function():
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
                return julia.whole_number(node)
            case julia.TypeName() | julia.UnionAll() | julia.Union() | float() | np.generic():
                return str(node)
            case _:
                return type(node).__name__

    def _all(self, nodes: Any, depth: int) -> str:
        shown = []
        for node in nodes:
            shown.append(self.show(node, depth + 1))
            if self.full:
                break
        return ", ".join(shown)

    def _struct(self, path: str, fields: list[Any], depth: int) -> str:
        match path, fields:
            case "Core.SSAValue", [int(number)]:
                return f"%{number}"
            case (("Core.SlotNumber" | "Core.Argument"), [int(number)]):
                return self._slots[number - 1][:_LONGEST_NAME] if 0 < number <= len(self._slots) else f"slot{number}"
            case "Core.GlobalRef", [module, julia.Symbol(name), *_]:
                return f"{self.show(module, depth)}.{name[:_LONGEST_NAME]}"
            case "Core.QuoteNode", [value]:
                return self.show(value, depth)
            case "Core.ReturnNode", [value]:
                return f"return {self.show(value, depth)}"
            case "Core.GotoNode", [label]:
                return f"goto %{self.show(label, depth)}"
            case "Core.GotoIfNot", [condition, label]:
                return f"unless {self.show(condition, depth)} goto %{self.show(label, depth)}"
            case "Core.Expr", [julia.Symbol(head), list(parts), *_]:
                return self._expression(head, parts, depth)
            case _:
                return f"{path}({self._all(fields, depth)})"

    def _expression(self, head: str, parts: list[Any], depth: int) -> str:
        match head, parts:
            case "call", [function, *arguments]:
                return f"{self.show(function, depth)}({self._all(arguments, depth)})"
            case "=", [target, value]:
                return f"{self.show(target, depth)} = {self.show(value, depth)}"
            case "return", [value]:
                return f"return {self.show(value, depth)}"
            case "gotoifnot", [condition, label]:
                return f"unless {self.show(condition, depth)} goto %{self.show(label, depth)}"
            case _:
                return f"{head[:_LONGEST_NAME]}({self._all(parts, depth)})"
