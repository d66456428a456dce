"""Julia's lowered code as text, for people: what a function in a file did, where nobody but Julia can run it."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport.porting import julia

__all__ = ["text"]

_LONGEST = 20_000


def text(method: julia.Method) -> str:
    """Return a method as text: its head, and one numbered statement a line."""
    printer = _Printer(method)
    lines = [f"function {method.name}({', '.join(method.arguments)})  # {method.file}:{method.line}"]
    lines += [f"    %{number} = {printer.show(s)}" for number, s in enumerate(method.statements, 1)]
    return "\n".join([*lines, "end"])


class _Printer:
    """Prints statements; what refers to itself, or is long by sharing, ends in an ellipsis."""

    def __init__(self, method: julia.Method) -> None:
        self._slots = method.slots
        self._left = _LONGEST

    def show(self, node: Any, depth: int = 0) -> str:
        self._left -= 1
        if self._left < 0 or depth > 30:
            return "…"
        match node:
            case julia.Struct(type=julia.TypeName() as type):
                return self._struct(type.path, node.fields, depth + 1)
            case julia.Symbol():
                return f":{node.name}"
            case julia.Module():
                return ".".join(node.path)
            case julia.Function():
                return node.path
            case str():
                return f'"{node[:200]}"'
            case bool():
                return str(node).lower()
            case None:
                return "nothing"
            case list() | tuple():
                return f"({self._all(node, depth)})"
            case np.ndarray():
                return f"array{node.shape}"
            case _:
                return str(node)[:200]

    def _all(self, nodes: Any, depth: int) -> str:
        return ", ".join(self.show(node, depth + 1) for node in nodes)

    def _struct(self, path: str, fields: list[Any], depth: int) -> str:
        match path, fields:
            case "Core.SSAValue", [int(number)]:
                return f"%{number}"
            case (("Core.SlotNumber" | "Core.Argument"), [int(number)]):
                return self._slots[number - 1] if 0 < number <= len(self._slots) else f"slot{number}"
            case "Core.GlobalRef", [module, julia.Symbol(name), *_]:
                return f"{self.show(module, depth)}.{name}"
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
                return f"{head}({self._all(parts, depth)})"
