"""What is known where Julia is translated, and what comes out besides: what all who read a piece of it share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from luxport.porting.errors import FileFormatError
from luxport.porting.translate.parse import (
    UNUSUAL,
    Arguments,
    Unported,
    is_named_tuple,
    last_name,
    line_of,
    names_in,
    one_line,
    parse,
    parts,
    reason_of,
    text,
)
from luxport.porting.translate.structs import Constructor, Struct, is_new
from luxport.porting.translate.tables import ACTIVATIONS, ELEMENTWISE, INITIALIZERS
from luxport.porting.translate.writing import Code, call, group, python_name, remark
from luxport.text import safe_to_show

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["Builder", "Hole", "Table", "Translator", "device", "makes_layers", "rewritten"]

Builder: TypeAlias = "Callable[[Translator, Arguments], Code]"
"""What builds a layer from the arguments of its constructor."""


@dataclass(frozen=True)
class Table:
    """Who reads what: expressions by the kind of node, layers by their names, functions, and blocks of statements."""

    readers: Mapping[str, Callable[[Translator, Node], Code]]
    layers: Mapping[str, Builder]
    define: Callable[..., str]
    block: Callable[..., None]


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

    def __init__(self, table: Table, dialect: str | None, flux: tuple[int, int] | None) -> None:
        self.table = table
        self.dialect = dialect
        self.says_nothing = False
        """Whether the file names neither Flux nor Lux."""
        self.flux = flux
        self.steps = None if flux is None else flux < (0, 15)
        self.mode = "build"
        self.kinds: dict[str, str] = {}
        self.lines: list[str] = []
        self.indent = 0
        self.helpers: set[str] = set()
        self.holes: list[Hole] = []
        self.fleeting: frozenset[str] = frozenset()
        self.changed: set[str] = set()
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
            code = self._read(node)
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
            return Code(self.table.define(self, node, mode="scalar"), "function")
        name = last_name(node)
        if name and name not in self.kinds and name in ELEMENTWISE:
            return Code(self.table.define(self, node, mode="scalar"), "function")
        code = self.code(node)
        if code.kind not in ("function", "unknown"):
            raise Unported("an activation expected")
        return code

    def layer(self, node: Node) -> Code:
        """Return a layer, or a function in a layer's place."""
        code = self.layer_or_number(node)
        return self.hole(node, "a layer expected") if code.kind in ("number", "flag") else code

    def layer_or_number(self, node: Node) -> Code:
        """Return a layer, a function in a layer's place, or what may stand in a list of other things."""
        name = last_name(node)
        if name == "identity" and name not in self.kinds:
            return call("luxport.NoOpLayer", [])
        if name == "flatten" and name not in self.kinds:
            return call("luxport.FlattenLayer", [])
        if name in ("transpose", "vec") and name not in self.kinds:
            return rewritten(self, node, f"x -> {name}(x)")
        if is_named_tuple(node):
            return self.table.readers["tuple_expression"](self, node)
        if node.type in ("vector_expression", "tuple_expression"):
            return group("[", [self.layer(entry) for entry in parts(node)], "]", "layers")
        return self.code(node)

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

    def _read(self, node: Node) -> Code:
        if node.has_error:
            raise Unported("a syntax error")
        if node.type in self.table.readers:
            return self.table.readers[node.type](self, node)
        raise Unported(f"no counterpart of a {node.type.replace('_', ' ')}")

    def target(self, node: Node) -> str:
        """Return names that are assigned to, nested in tuples or not."""
        if node.type == "identifier":
            return self.name(text(node))
        if node.type in ("tuple_expression", "open_tuple", "argument_list") and not is_named_tuple(node):
            names = [self.target(child) for child in node.named_children]
            return f"({', '.join(names)}{',' if len(names) == 1 else ''})"
        raise Unported("an assignment to something that is no name")


def device(t: Translator) -> Code:
    """Return what stands for a device."""
    t.helpers.add("keep")
    return Code("keep", "device")


def rewritten(t: Translator, node: Node, julia: str) -> Code:
    """What stands for a node: the same in other words, with its holes at its place."""
    if "x" in names_in(node):
        raise Unported("a function of something named x")
    (statement,) = parse(julia).named_children
    holes = len(t.holes)
    code = t.code(statement)
    t.holes[holes:] = [replace(hole, line=line_of(node)) for hole in t.holes[holes:]]
    return code


def makes_layers(t: Translator, node: Node) -> bool:
    """Whether there is a constructor of layers anywhere in a node, or a function that makes some."""
    if node.type == "call_expression":
        function = node.named_children[0]
        name = last_name(function)
        if name in t.table.layers if name not in t.kinds else t.kinds[name] == "builder":
            return True
    if node.type == "macrocall_expression" and "@compact" in text(node).partition("(")[0]:
        return True
    if node.type in ("call_expression", "parametrized_type_expression") and is_new(node.named_children[0]):
        return True
    return any(makes_layers(t, child) for child in node.named_children)
