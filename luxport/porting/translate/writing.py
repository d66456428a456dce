"""Write Python: expressions that can be broken over several lines, names, comments."""

from __future__ import annotations

import builtins
import keyword
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from luxport.text import make_safe

__all__ = [
    "BUILTINS",
    "RESERVED",
    "Code",
    "call",
    "group",
    "name_field",
    "name_in_python",
    "write_named",
    "write_operand",
]
__all__ += ["render", "write_remark", "write_whole_number"]

_WIDTH = 100
_LONGEST = 200_000
_LONGEST_NAME = 200
BUILTINS = frozenset(dir(builtins))
BUILTINS |= {"copyright", "credits", "display", "exit", "get_ipython", "help", "license", "quit"}
"""Names that Python defines by itself, including those of an interactive session."""


@dataclass(frozen=True)
class Code:
    """A Python expression: its text on one line, its kind, and its parts between brackets, where it may be broken.

    Common kinds are number, sizes (a tuple of numbers), flag, layer, layers, array, function and unknown.
    """

    text: str
    kind: str = "unknown"
    compound: bool = False
    opening: str = ""
    entries: tuple[Code, ...] = ()
    closing: str = ""
    is_mask: bool = False
    """Whether it is a boolean array."""

    def __post_init__(self) -> None:
        if len(self.text) > _LONGEST:  # nested pieces that each write their content twice grow exponentially
            raise ValueError("an expression that grows too long")

    def with_kind(self, kind: str) -> Code:
        """Return the same expression with another kind."""
        return replace(self, kind=kind)


def group(opening: str, entries: Iterable[Code], closing: str, kind: str = "unknown") -> Code:
    """Return an expression of entries between brackets."""
    listed = tuple(entries)
    comma = "," if opening == "(" and len(listed) == 1 else ""
    line = f"{opening}{', '.join(entry.text for entry in listed)}{comma}{closing}"
    return Code(line, kind, False, opening, listed, closing)


def call(
    function: str, positional: Iterable[Code], options: dict[str, Code] | None = None, kind: str = "layer"
) -> Code:
    """Return a call of a function."""
    entries = [*positional, *(write_named(name, value) for name, value in (options or {}).items())]
    return group(f"{function}(", entries, ")", kind)


def write_named(name: str, value: Code) -> Code:
    """Return a keyword argument of a call; for the name ``**``, an unpacked dict."""
    if name == "**":
        return Code(f"**{value.text}", value.kind)
    return Code(f"{name}={value.text}", value.kind, False, f"{name}={value.opening}", value.entries, value.closing)


def write_operand(code: Code) -> str:
    """Return the text of an expression as an operand, in brackets if it is compound."""
    return f"({code.text})" if code.compound else code.text


def render(code: Code, before: str = "", indent: int = 0, after: str = "") -> list[str]:
    """Return the lines of an expression with text before and after it; too long lines are broken at brackets."""
    line = f"{' ' * indent}{before}{code.text}{after}"
    if len(line) <= _WIDTH or not code.entries:
        return [line]
    lines = [f"{' ' * indent}{before}{code.opening}"]
    for entry in code.entries:
        lines += render(entry, "", indent + 4, ",")
    return [*lines, f"{' ' * indent}{code.closing}{after}"]


RESERVED = {"add", "adjoint", "apply_elementwise", "call_part", "expect_tuple", "find_namespace", "get_item", "hcat"}
RESERVED |= {"keep", "make_tuples", "matmul", "mean_entries", "multiply", "not_ported", "quotient", "remainder", "vcat"}
RESERVED |= {"reverse_padding", "reverse_sizes", "square_epsilon", "sum_entries", "translate_keywords", "transpose"}
RESERVED |= {"abs", "dataclasses", "dict", "enumerate", "float", "forward", "functools", "inputs", "int"}
RESERVED |= {"isinstance", "len", "list", "luxport", "math", "max", "min", "object", "operator", "print", "range"}
RESERVED |= {"repr", "reversed", "round", "self", "set", "size", "slice", "str", "sum", "tuple", "xp", "zip"}
"""Names that variables cannot have, because the module uses them: its helpers, then builtins, packages and others."""
_INTERNAL_ATTRIBUTES = {
    f"{kind}_{part}" for kind in ("gi", "cr", "ag") for part in ("frame", "code", "yieldfrom", "await", "running")
}
_INTERNAL_ATTRIBUTES |= {"f_back", "f_builtins", "f_code", "f_globals", "f_locals", "tb_frame", "tb_next", "mro"}
_INTERNAL_ATTRIBUTES |= {"format", "format_map"}
"""Attributes that lead from a value to the internals of Python."""
_SPELLINGS = str.maketrans({"²": "2", "³": "3", "!": "_", "′": "_prime"} | {chr(0x2080 + i): str(i) for i in range(10)})


def name_in_python(name: str) -> str:
    """Return the Python name of a Julia variable, none of Python's keywords or builtins or the module's helpers."""
    plain = name_field(name)
    return f"{plain}_" if plain in BUILTINS or keyword.issoftkeyword(plain) and plain != "_" else plain


def name_field(name: str) -> str:
    """Return the Python name of a field or keyword, which may be a builtin's (`input`), as it is only an attribute.

    It is normalized (NFKC) as Python would do, and does not begin with an underscore, as Python's own attributes do.
    """
    plain = name
    if not (name.isascii() and name.isidentifier()):
        spelled = unicodedata.normalize("NFKC", name.translate(_SPELLINGS)).translate(_SPELLINGS)
        plain = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in spelled)
        plain = unicodedata.normalize("NFKC", plain)
    if plain.startswith("_") and plain != "_":
        plain = f"{plain.lstrip('_')}_"
    plain = plain if plain.isidentifier() else f"n{plain}"
    if not plain.isidentifier() or len(plain) > _LONGEST_NAME:
        raise ValueError("a name that Python cannot have")
    return f"{plain}_" if keyword.iskeyword(plain) or plain in RESERVED or plain in _INTERNAL_ATTRIBUTES else plain


def write_remark(line: str) -> str:
    """Return a line of source text as a comment, without characters that could end the comment."""
    return f"# {make_safe(line)}".rstrip()


def write_whole_number(julia: str) -> str:
    """Return an integer literal of Julia in Python's notation.

    Raises: ValueError beyond 64 bits, where Julia's literal has another type
    """
    plain = julia.replace("_", "")
    number = int(plain, 0 if plain[:2] in ("0x", "0b", "0o") else 10) if len(plain) < 80 else 1 << 64
    if number >= 1 << 64:
        raise ValueError("a whole number beyond 64 bits")
    return str(number)
