"""Python as it is written: expressions that know how to break over lines."""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Code", "call", "group", "named", "operand", "python_name", "render"]

_WIDTH = 100


@dataclass(frozen=True)
class Code:
    """An expression: its text on one line, what kind of value it has, and where it may be broken.

    Kinds are number, sizes (a tuple of numbers), flag, layer, layers, array, function and unknown.
    """

    text: str
    kind: str = "unknown"
    compound: bool = False
    opening: str = ""
    entries: tuple[Code, ...] = ()
    closing: str = ""


def group(opening: str, entries: Iterable[Code], closing: str, kind: str = "unknown") -> Code:
    """Return entries between brackets."""
    listed = tuple(entries)
    comma = "," if opening == "(" and len(listed) == 1 else ""
    line = f"{opening}{', '.join(entry.text for entry in listed)}{comma}{closing}"
    return Code(line, kind, False, opening, listed, closing)


def call(
    function: str, positional: Iterable[Code], options: dict[str, Code] | None = None, kind: str = "layer"
) -> Code:
    """Return a call."""
    entries = [*positional, *(named(name, value) for name, value in (options or {}).items())]
    return group(f"{function}(", entries, ")", kind)


def named(name: str, value: Code) -> Code:
    """Return a keyword of a call, or with the name ``**`` a dict of them."""
    if name == "**":
        return Code(f"**{value.text}", value.kind)
    return Code(f"{name}={value.text}", value.kind, False, f"{name}={value.opening}", value.entries, value.closing)


def operand(code: Code) -> str:
    """Return an expression as part of another."""
    return f"({code.text})" if code.compound else code.text


def render(code: Code, before: str = "", indent: int = 0, after: str = "") -> list[str]:
    """Return the lines of an expression, with text before and after it; too long ones are broken at brackets."""
    line = f"{' ' * indent}{before}{code.text}{after}"
    if len(line) <= _WIDTH or not code.entries:
        return [line]
    lines = [f"{' ' * indent}{before}{code.opening}"]
    for entry in code.entries:
        lines += render(entry, "", indent + 4, ",")
    return [*lines, f"{' ' * indent}{code.closing}{after}"]


_TAKEN = {"functools", "len", "luxport", "math", "not_ported", "operator", "range", "spatial", "sum", "tuple", "xp"}
_TAKEN |= {"add", "multiply", "vcat", "hcat", "int", "float", "min", "max", "abs", "reversed", "enumerate", "zip"}
_TAKEN |= {"adjoint", "applied", "dataclasses", "item", "keep", "product", "slice", "transposed"}
_TAKEN |= {"entries", "keywords", "padded", "squared_epsilon"}
_TAKEN |= {"dict", "forward", "inputs", "isinstance", "list", "object", "print", "repr", "round", "self", "set", "str"}
_SPELLED = str.maketrans({"²": "2", "³": "3", "!": "_", "′": "_prime"} | {chr(0x2080 + i): str(i) for i in range(10)})


def python_name(name: str) -> str:
    """Return a Julia name as one of Python's that nothing else here has."""
    spelled = name.translate(_SPELLED)
    plain = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in spelled)
    plain = plain if plain.isidentifier() else f"_{plain}"
    return f"{plain}_" if keyword.iskeyword(plain) or plain in _TAKEN else plain
