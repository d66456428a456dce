"""Julia's expressions as Python's: numbers and sizes as they are, arrays with the axes reversed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luxport.porting.errors import FileFormatError
from luxport.porting.translate.calls import broadcast, called, device, rewritten
from luxport.porting.translate.functions import ACTIVATIONS, ELEMENTWISE
from luxport.porting.translate.operators import binary, unary
from luxport.porting.translate.options import INITIALIZERS
from luxport.porting.translate.parse import (
    UNUSUAL,
    Unported,
    is_named_tuple,
    last_name,
    line_of,
    named_entries,
    one_line,
    parts,
    reason_of,
    text,
)
from luxport.porting.translate.sequences import comprehension, index
from luxport.porting.translate.structs import Constructor, Struct
from luxport.porting.translate.writing import Code, call, field_name, group, operand, python_name, remark, whole_number
from luxport.text import safe_to_show

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["Hole", "Translator"]


@dataclass(frozen=True)
class Hole:
    """A piece of Julia that was not ported: where it is, what it is, and why."""

    line: int
    julia: str
    reason: str

    def __post_init__(self) -> None:
        for name in ("julia", "reason"):  # both are shown, and written into comments
            object.__setattr__(self, name, safe_to_show(getattr(self, name)))


class Translator:
    """What is known where an expression is translated, and what comes out besides: lines, helpers and holes.

    ``mode`` says what names without a kind stand for: "build" numbers and sizes (code that makes layers), "array"
    arrays or anything (functions of arrays), "scalar" one element (activations). ``flux`` is the version that the
    code is for, None if that is not known; ``steps`` whether its recurrent layers take one step a call, likewise.
    """

    def __init__(self, dialect: str | None, flux: tuple[int, int] | None) -> None:
        self.dialect = dialect
        self.flux = flux
        self.steps = None if flux is None else flux < (0, 15)
        self.mode = "build"
        self.kinds: dict[str, str] = {}
        self.lines: list[str] = []
        self.indent = 0
        self.helpers: set[str] = set()
        self.holes: list[Hole] = []
        self.fleeting: frozenset[str] = frozenset()
        self.functions = 0
        self.uses_xp = False
        self.layers_used: dict[str, int] = {}
        self.methods: set[str] = set()
        self.locals: set[str] = set()
        self.outer: set[str] = set()
        self.structs: dict[str, Struct] = {}
        self.announced: set[str] = set()
        self.several: dict[str, list[Constructor]] = {}
        self.owners: dict[tuple[int, int], Struct] = {}
        self.record_fields: dict[str, str] = {}
        self.initializers: set[str] = set()
        self.receivers: dict[str, dict[str, Code]] = {}
        self.names: dict[str, str] = {}
        self.renamed: dict[str, str] = {}
        self.reserved: frozenset[str] = frozenset()
        self.making: Struct | None = None
        self.work, self.most = 0, 1_000_000
        self.define: Callable[..., str] = _no_definitions

    def name(self, julia: str) -> str:
        """Return a variable's name in Python, other than those that the layer's own parts have."""
        return self.renamed.get(julia) or self._name_of(python_name(julia), julia)

    def rename(self, julia: str) -> None:
        """Name a variable otherwise than one of the same name that it hides, until `renamed` is set back."""
        hidden = self.name(julia)
        self.renamed = {**self.renamed, julia: self._name_of(f"{hidden}_", f"{julia} beside {hidden}")}

    def _name_of(self, python: str, what: str) -> str:
        """Return a name that no other variable has in Python."""
        while python in self.reserved or self.names.setdefault(python, what) != what:
            python += "_"
        return python

    def code(self, node: Node) -> Code:
        """Return an expression; where it is not understood, one that raises, with a remark above the statement."""
        lines, holes = len(self.lines), len(self.holes)
        try:
            code = self._code(node)
            self.work += 1 + len(code.text) // 300
            if self.work > self.most:  # pieces that are looked at again in each of many that are in one another
                raise FileFormatError("it takes more work than its length can explain")
            return code
        except FileFormatError:
            raise
        except (Unported, *UNUSUAL) as error:
            del self.lines[lines:], self.holes[holes:]
            self.work += 1
            return self.hole(node, reason_of(error))

    def hole(self, node: Node, reason: str) -> Code:
        """Mark what is not ported, and return what raises in its place."""
        julia = one_line(node)
        self.holes.append(Hole(line_of(node), julia, reason))
        self.put(remark(f"TODO: not ported: {julia} ({reason})"))
        return self.helper("not_ported", [Code(repr(julia))])

    def put(self, line: str) -> None:
        """Add a line to the block that is being written."""
        self.lines.append(" " * self.indent + line if line else "")

    def helper(self, name: str, given: Iterable[Code]) -> Code:
        """Return a call of a function that the file shall define."""
        self.helpers.add(name)
        return call(name, given, None, "array" if name != "not_ported" else "unknown")

    def xp(self, name: str, given: Iterable[Code], options: dict[str, Code] | None = None) -> Code:
        """Return a call of the Array API's function."""
        if self.mode == "build":
            raise Unported("an operation on arrays outside of a function")
        self.uses_xp = True
        return call(f"xp.{name}", given, options, "array")

    def initial(self, name: str) -> Code:
        """Return an initializer by its name in Julia."""
        return Code(f"luxport.initializers.{INITIALIZERS[name]}", "function")

    def flag(self, node: Node) -> Code:
        """Return true or false, also where Julia has it as a type."""
        plain = {
            "static(true)": "True",
            "static(false)": "False",
            "Val(true)": "True",
            "True()": "True",
            "Val(false)": "False",
            "False()": "False",
            "Flux.Zeros": "False",
        }
        code = Code(plain[text(node)], "flag") if text(node) in plain else self.code(node)
        if code.kind not in ("flag", "unknown") or "[" in code.text:
            raise Unported("true or false expected")
        return code

    def spatial(self, node: Node) -> Code:
        """Return sizes along spatial axes, in our order."""
        if node.type == "tuple_expression":
            return group("(", [self.code(entry) for entry in parts(node)[::-1]], ")", "sizes")
        code = self.code(node)
        if code.kind == "number":
            return code
        if code.kind not in ("sizes", "unknown"):
            raise Unported("sizes expected")
        return code if code.text.startswith("not_ported(") else self.helper("spatial", [code])

    def is_function(self, node: Node) -> bool:
        """Whether a node is a function, not a number."""
        name = last_name(node)
        return node.type == "arrow_function_expression" or (name in ACTIVATIONS and name not in self.kinds)

    def activation(self, node: Node) -> Code:
        """Return a function of each element."""
        if node.type == "arrow_function_expression":
            return Code(self.define(self, node, mode="scalar"), "function")
        name = last_name(node)
        if name and name not in self.kinds and name in ELEMENTWISE:
            return Code(self.define(self, node, mode="scalar"), "function")
        code = self.code(node)
        if code.kind not in ("function", "unknown"):
            raise Unported("an activation expected")
        return code

    def layer(self, node: Node) -> Code:
        """Return a layer, or a function in a layer's place."""
        name = last_name(node)
        if name == "identity" and name not in self.kinds:
            return call("luxport.NoOpLayer", [])
        if name == "flatten" and name not in self.kinds:
            return call("luxport.FlattenLayer", [])
        if name in ("transpose", "vec") and name not in self.kinds:
            return rewritten(self, node, f"x -> {name}(x)")
        if is_named_tuple(node):
            return self._tuple(node)
        if node.type in ("vector_expression", "tuple_expression"):
            return group("[", [self.layer(entry) for entry in parts(node)], "]", "layers")
        code = self.code(node)
        if code.kind in ("number", "flag"):
            return self.hole(node, "a layer expected")
        return code

    def connection(self, node: Node, two: bool) -> Code:
        """Return what joins outputs: a function, a layer, or nothing."""
        operators = {"+": ("operator.add", "add"), ".*": ("operator.mul", "multiply"), "-": ("operator.sub", "")}
        symbol = text(node).strip("()")
        symbol = symbol if symbol == ".*" else symbol.removeprefix(".")
        if symbol == "*" and two:  # a product of matrices
            self.helpers.add("product")
            return Code("product", "function")
        if symbol in operators and symbol not in self.kinds:
            both, many = operators[symbol]
            if two:
                return Code(both, "function")
            if not many:
                return self.hole(node, "a difference of other than two outputs")
            self.helpers.add(many)
            return Code(many, "function")
        if symbol in ("vcat", "hcat") and symbol not in self.kinds:
            self.helpers.add(symbol)
            return Code(symbol, "function")
        if symbol == "tuple":
            return Code("None")
        return self.code(node)

    def _code(self, node: Node) -> Code:
        if node.has_error:
            raise Unported("a syntax error")
        if node.type in _READERS:
            return _READERS[node.type](self, node)
        raise Unported(f"no counterpart of a {node.type.replace('_', ' ')}")

    def _named(self, node: Node) -> Code:
        name = last_name(node)
        if not name:
            raise Unported("a field of a struct")
        if node.type == "identifier" and name in self.kinds:
            if self.kinds[name] == "unported":
                raise Unported(f"{name} was not ported")
            layer = self.kinds[name] == "layer" and self.dialect != "lux"
            if layer and self.layers_used.setdefault(name, node.start_byte) != node.start_byte:
                raise Unported(f"{name} twice, which in Flux has one set of parameters: see luxport.tie")
            return Code(self.name(name), self.kinds[name])
        if name in _DEVICES:
            return device(self)
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in ACTIVATIONS:
            return Code(ACTIVATIONS[name], "function")
        if name in ("vcat", "hcat"):
            self.helpers.add(name)
            return Code(name, "function")
        if name in _NORMS and self.mode == "build":
            return Code(f"luxport.{name}", "function")
        if name in INITIALIZERS and self.mode == "build":
            return self.initial(name)
        if name == "flatten":
            return call("luxport.FlattenLayer", [])
        raise Unported(f"{name} is not defined here")

    def _field(self, node: Node) -> Code:
        if last_name(node):
            return self._named(node)
        base, field = node.named_children
        if base.type == "identifier" and text(base) in self.receivers:
            own = self.receivers[text(base)]
            if text(field) not in own:
                raise Unported(f"{text(node)} is no field")
            return own[text(field)]
        value = self.code(base)
        if value.kind in ("bound", "part") and text(field) in _INNER:
            raise Unported("a field of a layer")
        if value.kind in ("bound", "tree"):
            return Code(f"{operand(value)}[{text(field)!r}]", value.kind)
        if text(field) in self.record_fields and value.kind in ("unknown", "record"):
            return Code(f"{operand(value)}.{field_name(text(field))}", self.record_fields[text(field)])
        raise Unported("a field of a struct")

    def _adjoint(self, node: Node) -> Code:
        return self.helper("adjoint", [self.code(node.named_children[0])])

    def _tuple(self, node: Node) -> Code:
        if is_named_tuple(node):
            value_of = self.layer if self.mode == "build" else self.code
            entries = [Code(f"{key!r}: {value_of(value).text}") for key, value in named_entries(node).items()]
            return group("{", entries, "}", "layers" if self.mode == "build" else "tree")
        entries = [self.code(part) for part in parts(node)]
        numbers = all(entry.kind == "number" for entry in entries)
        return group("(", entries, ")", "sizes" if numbers else "unknown")

    def _vector(self, node: Node) -> Code:
        entries = [self.code(part) for part in parts(node)]
        kinds = {entry.kind for entry in entries}
        return group("[", entries, "]", "sizes" if kinds == {"number"} else "layers")

    def target(self, node: Node) -> str:
        """Return names that are assigned to, nested in tuples or not."""
        if node.type == "identifier":
            return self.name(text(node))
        if node.type in ("tuple_expression", "open_tuple", "argument_list") and not is_named_tuple(node):
            names = [self.target(child) for child in node.named_children]
            return f"({', '.join(names)}{',' if len(names) == 1 else ''})"
        raise Unported("an assignment to something that is no name")

    def _ternary(self, node: Node) -> Code:
        branches = parts(node)
        if node.type == "if_statement":  # as a value: one expression in either branch
            branches = [*branches[:-1], *parts(branches[-1])] if branches[-1].type == "else_clause" else []
        if len(branches) != 3:
            raise Unported("a condition as a value with other than two branches of one expression")
        condition, yes, no = [self.code(child) for child in branches]
        kind = yes.kind if yes.kind == no.kind else "unknown"
        return Code(f"{operand(yes)} if {operand(condition)} else {operand(no)}", kind, True)

    def _splat(self, node: Node) -> Code:
        code = self.code(node.named_children[0])
        return Code(
            f"*{operand(code)}",
            code.kind,
            False,
            f"*{code.opening}" if code.opening else "",
            code.entries,
            code.closing,
        )

    def _arrow(self, node: Node) -> Code:
        return Code(self.define(self, node, mode="array"), "function")

    def _string(self, node: Node) -> Code:
        if any(child.type == "string_interpolation" for child in node.named_children):
            raise Unported("a string with values in it")
        return Code(repr("".join(text(child) for child in node.named_children)), "text")

    def _symbol(self, node: Node) -> Code:
        if not re.fullmatch(r":[A-Za-z_]\w*", text(node)):
            raise Unported("quoted code")
        return Code(repr(text(node)[1:]), "text")

    def _float(self, node: Node) -> Code:
        number = float(re.sub("f", "e", text(node).replace("_", "")))
        if not math.isfinite(number):
            raise Unported("a number beyond Float64")
        return Code(repr(number), "number")

    def _integer(self, node: Node) -> Code:
        return Code(whole_number(text(node)), "number")

    def _macro(self, node: Node) -> Code:
        if text(node).startswith(("@compact", "Lux.@compact")):
            return Code(self.define(self, node, mode="compact"), "layer")
        name = text(node).split(maxsplit=1)[0]
        inner = node.named_children[-1].named_children
        if name in ("@view", "@views", "@inbounds", "Zygote.@ignore") and len(inner) == 1:
            return self.code(inner[0])
        if name.startswith("@.") and len(inner) == 1 and self.mode in ("array", "scalar"):
            mode, self.mode = self.mode, "scalar"  # a dot at every call and operator
            try:
                return self.code(inner[0])
            finally:
                self.mode = mode
        raise Unported("a macro")


def _no_definitions(*_: object, **__: object) -> str:
    raise Unported("a function in this place")


_CONSTANTS = {
    "nothing": Code("None"),
    "pi": Code("math.pi", "number"),
    "π": Code("math.pi", "number"),
    "Inf": Code("math.inf", "number"),
    "Inf32": Code("math.inf", "number"),
}
_DEVICES = {"cpu", "gpu"}
_NORMS = ("BatchNorm", "GroupNorm", "InstanceNorm")
"""Layers that functions are handed to make, by position, what they make."""
_INNER = {"weight", "bias", "W", "b", "σ", "layers", "chain", "cell", "state", "scale", "diag"}
"""Fields of Flux's own layers, which stand elsewhere here."""

_READERS: dict[str, Callable[[Translator, Node], Code]] = {
    "arrow_function_expression": Translator._arrow,
    "binary_expression": binary,
    "boolean_literal": lambda t, node: Code(text(node).capitalize(), "flag"),
    "broadcast_call_expression": broadcast,
    "call_expression": called,
    "adjoint_expression": Translator._adjoint,
    "comprehension_expression": comprehension,
    "field_expression": Translator._field,
    "float_literal": Translator._float,
    "identifier": Translator._named,
    "if_statement": Translator._ternary,
    "index_expression": index,
    "integer_literal": Translator._integer,
    "juxtaposition_expression": binary,
    "macrocall_expression": Translator._macro,
    "parenthesized_expression": lambda t, node: t.code(node.named_children[0]),
    "splat_expression": Translator._splat,
    "string_literal": Translator._string,
    "ternary_expression": Translator._ternary,
    "open_tuple": Translator._tuple,
    "quote_expression": Translator._symbol,
    "tuple_expression": Translator._tuple,
    "unary_expression": unary,
    "vector_expression": Translator._vector,
}
