"""What is known at a place where Julia is translated: a value that is handed to all who read what stands there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from luxport.porting.errors import FileFormatError
from luxport.porting.translate.names import Names
from luxport.porting.translate.output import Hole, Output, Piece
from luxport.porting.translate.parse import (
    UNUSUAL,
    Arguments,
    Unported,
    count_line,
    find_reason,
    is_named_tuple,
    list_parts,
    parse,
    read_last_name,
    read_text,
    write_one_line,
)
from luxport.porting.translate.signatures import Method
from luxport.porting.translate.structs import Struct, is_new
from luxport.porting.translate.tables import ACTIVATIONS, ELEMENTWISE, INITIALIZERS
from luxport.porting.translate.writing import Code, call, group, name_in_python, render, write_remark

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = [
    "Builder",
    "Scope",
    "Source",
    "Table",
    "find_parametric_struct",
    "can_make_layers",
    "rewrite",
    "write_device",
]

Builder: TypeAlias = "Callable[[Scope, Arguments], Code]"
"""What builds a layer from the arguments of its constructor."""


@dataclass(frozen=True)
class Table:
    """Who reads what: expressions by the kind of node, layers by their names, functions, and blocks of statements."""

    readers: Mapping[str, Callable[[Scope, Node], Code]]
    layers: Mapping[str, Builder]
    define: Callable[..., Code]
    block: Callable[..., Scope]


@dataclass(frozen=True)
class Source:
    """What a file says before any of it is translated, and the table of who reads what."""

    table: Table
    dialect: str | None
    """Whose layers it has, "flux" or "lux", if that can be told."""
    says_nothing: bool
    """Whether it names neither Flux nor Lux."""
    flux: tuple[int, int] | None
    """The version it is for, None if that is not known."""
    structs: Mapping[str, Struct]
    owners: Mapping[tuple[int, int], Struct]
    """Of which struct a statement is a part, by its place."""
    several: Mapping[str, list[Method]]
    """Functions that have several methods."""
    types: set[str]
    """The names of types that it defines, and of constants, which may be other names of types."""
    changed: set[str]
    """The names of what any statement changes in place."""
    filled: set[str]
    """Those of them whose entries are assigned."""
    of_elements: set[str]
    """Functions that are called on single numbers alone."""


@dataclass(frozen=True)
class Scope:
    """What is known at a place in a file, and where the Python of that place is written.

    What holds further in, in a function, a loop or a struct, is another scope, made by `replace`. A statement that
    binds names gives the scope of those that follow it.
    """

    source: Source
    output: Output
    piece: Piece = field(default_factory=Piece)
    mode: str = "build"
    """What names without a kind stand for: "build" numbers and sizes (code that makes layers), "array" arrays or
    anything (functions of arrays; "lux" in methods that take ps and st), "scalar" one element (activations)."""
    kinds: Names[str] = field(default_factory=lambda: Names())
    """What kind of value each name has, "unported" if it has none."""
    depth: int = 0
    """In how many functions this is."""
    depths: Names[int] = field(default_factory=lambda: Names())
    """In how many functions each variable was assigned."""
    indent: int = 0
    fleeting: frozenset[str] = frozenset()
    """What changes from round to round of the loops around."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Names in Python that are not those that they would have by themselves."""
    reserved: frozenset[str] = frozenset()
    """Names that variables may not have in Python."""
    fields: Mapping[str, Mapping[str, Code]] = field(default_factory=dict)
    """The fields of the struct whose method this is, by its name there."""
    making: Struct | None = None
    """The struct whose constructor this is."""
    record_fields: Mapping[str, str] = field(default_factory=dict)
    """The kinds of fields of structs that are no layers."""

    def bind(self, kinds: Mapping[str, str], **more: Any) -> Scope:
        """Return a scope in which names have these kinds."""
        return replace(self, kinds=self.kinds.with_values(kinds), **more)

    def bind_local(self, kinds: Mapping[str, str]) -> Scope:
        """Return a scope in which the function at hand has assigned values of these kinds to names."""
        return self.bind(kinds, depths=self.depths.with_values(dict.fromkeys(kinds, self.depth)))

    def take_bindings(self, inner: Scope) -> Scope:
        """Return this scope with what statements in it have bound."""
        return replace(self, kinds=inner.kinds, depths=inner.depths)

    def open_block(self, **more: Any) -> Scope:
        """Return the scope of lines that stand further in."""
        return replace(self, indent=self.indent + 4, **more)

    def open_loop(self, kinds: Mapping[str, str]) -> Scope:
        """Return the scope inside a loop whose variables have these kinds."""
        return self.bind(kinds, fleeting=self.fleeting | set(kinds))

    def is_local(self, name: str) -> bool:
        """Whether the function at hand has assigned a variable."""
        return self.depths.get(name) == self.depth

    def is_outer(self, name: str) -> bool:
        """Whether a function around, or the file, has assigned a variable, and the function at hand has not."""
        return self.depths.get(name, self.depth) < self.depth

    def spell(self, julia: str) -> str:
        """Return a variable's name in Python, other than those that the layer's own parts have."""
        return self.renamed.get(julia) or self.output.reserve_name(name_in_python(julia), julia, self.reserved)

    def rename_variable(self, julia: str) -> Scope:
        """Return a scope in which a variable has another name than one of the same name that it hides."""
        hidden = self.spell(julia)
        name = self.output.reserve_name(f"{hidden}_", f"{julia} beside {hidden}", self.reserved)
        return replace(self, renamed={**self.renamed, julia: name})

    def write(self, node: Node) -> Code:
        """Return an expression; where it is not understood, one that raises, with a remark above the statement."""
        mark = self.piece.mark()
        try:
            code = self._read(node)
            self.output.count_work(1 + len(code.text) // 300)
            return code
        except FileFormatError:
            raise
        except (Unported, *UNUSUAL) as error:
            self.piece.roll_back(mark)
            self.output.work += 1
            return self.write_hole(node, find_reason(error))

    def write_hole(self, node: Node, reason: str) -> Code:
        """Mark what is not ported, and return what raises in its place."""
        self.mark_hole(node, reason)
        return self.write_not_ported(node)

    def mark_hole(self, node: Node, reason: str) -> None:
        """Note what is not ported, with a remark."""
        self.piece.holes.append(Hole(count_line(node), write_one_line(node), reason))
        self.add_line(write_remark(f"TODO: not ported: {write_one_line(node)} ({reason})"))

    def write_not_ported(self, node: Node) -> Code:
        """Return what raises in the place of what is not ported."""
        return self.call_helper("not_ported", [Code(repr(write_one_line(node)))])

    def add_line(self, line: str) -> None:
        """Add a line to the piece that is being written."""
        self.piece.lines.append(" " * self.indent + line if line else "")

    def add_code(self, before: str, code: Code) -> None:
        """Add an expression, on several lines if it is long."""
        self.piece.lines += render(code, before, self.indent)

    def call_helper(self, name: str, given: Iterable[Code]) -> Code:
        """Return a call of a function that the file shall define."""
        self.output.helpers.add(name)
        return call(name, given, None, "array" if name != "not_ported" else "unknown")

    def name_helper(self, name: str) -> Code:
        """Return a function that the file shall define."""
        self.output.helpers.add(name)
        return Code(name, "function")

    def call_xp(self, name: str, given: Iterable[Code], options: dict[str, Code] | None = None) -> Code:
        """Return a call of the Array API's function."""
        if self.mode == "build":
            raise Unported("an operation on arrays outside of a function")
        self.piece.uses_xp = True
        return call(f"xp.{name}", given, options, "array")

    def define_function(self, node: Node, mode: str, name: str = "") -> Code:
        """Write a function above the statement at hand, and return its name, with the kind of what it is."""
        return self.source.table.define(self, node, mode=mode, name=name)

    def name_initializer(self, name: str) -> Code:
        """Return an initializer by its name in Julia."""
        return Code(f"luxport.initializers.{INITIALIZERS[name]}", "function")

    def write_value(self, node: Node) -> Code:
        """Return a layer, where layers are made, or what an expression gives."""
        return self.write_layer(node) if self.mode == "build" else self.write(node)

    def write_condition(self, node: Node) -> Code:
        """Return what may be true or false."""
        code = self.write(node)
        if code.kind not in ("flag", "unknown"):
            raise Unported("a condition that is no flag")
        return code

    def write_flag(self, node: Node) -> Code:
        """Return true or false in place, also where Julia has it as a type."""
        code = Code(_FLAGS[read_text(node)], "flag") if read_text(node) in _FLAGS else self.write(node)
        if code.kind not in ("flag", "unknown") or "[" in code.text:
            raise Unported("true or false expected")
        return code

    def write_sizes(self, node: Node) -> Code:
        """Return sizes along spatial axes, in our order."""
        if node.type == "tuple_expression":
            return group("(", [self.write(entry) for entry in list_parts(node)[::-1]], ")", "sizes")
        code = self.write(node)
        if code.kind == "number":
            return code
        if code.kind not in ("sizes", "unknown"):
            raise Unported("sizes expected")
        return code if code.text.startswith("not_ported(") else self.call_helper("spatial", [code])

    def is_function(self, node: Node) -> bool:
        """Whether a node is a function, not a number."""
        name = read_last_name(node)
        return node.type == "arrow_function_expression" or (name in ACTIVATIONS and name not in self.kinds)

    def write_activation(self, node: Node) -> Code:
        """Return a function of each element."""
        name = read_last_name(node)
        if node.type == "arrow_function_expression" or (name in ELEMENTWISE and name not in self.kinds):
            return self.define_function(node, "scalar").with_kind("function")
        code = self.write(node)
        if code.kind not in ("function", "unknown"):
            raise Unported("an activation expected")
        return code

    def write_layer(self, node: Node) -> Code:
        """Return a layer, or a function in a layer's place."""
        code = self.write_layer_or_number(node)
        return self.write_hole(node, "a layer expected") if code.kind in ("number", "flag") else code

    def write_layer_or_number(self, node: Node) -> Code:
        """Return a layer, a function in a layer's place, or what may stand in a list of other things."""
        name = read_last_name(node)
        if name in _AS_LAYERS and name not in self.kinds:
            return call(_AS_LAYERS[name], [])
        if name in ("transpose", "vec") and name not in self.kinds:
            return rewrite(self, node, f"x -> {name}(x)")
        if node.type in ("vector_expression", "tuple_expression") and not is_named_tuple(node):
            return group("[", [self.write_layer(entry) for entry in list_parts(node)], "]", "layers")
        return self.write(node)

    def write_target(self, node: Node) -> str:
        """Return names that are assigned to, nested in tuples or not."""
        if node.type == "identifier":
            return self.spell(read_text(node))
        if node.type in ("tuple_expression", "open_tuple", "argument_list") and not is_named_tuple(node):
            names = [self.write_target(child) for child in node.named_children]
            return f"({', '.join(names)}{',' if len(names) == 1 else ''})"
        raise Unported("an assignment to something that is no name")

    def _read(self, node: Node) -> Code:
        if node.has_error:
            raise Unported("a syntax error")
        read = self.source.table.readers.get(node.type)
        if read is None:
            raise Unported(f"no counterpart of a {node.type.replace('_', ' ')}")
        return read(self, node)


_AS_LAYERS = {"identity": "luxport.NoOpLayer", "flatten": "luxport.FlattenLayer"}
_FLAGS = {**dict.fromkeys(("static(true)", "Val(true)", "True()"), "True")}
_FLAGS |= dict.fromkeys(("static(false)", "Val(false)", "False()", "Flux.Zeros"), "False")


def write_device(here: Scope) -> Code:
    """Return what stands for a device."""
    return here.name_helper("keep").with_kind("device")


def rewrite(here: Scope, node: Node, julia: str) -> Code:
    """Return what stands for a node: the same in other words, with its holes at its place."""
    (statement,) = parse(julia).named_children
    before = len(here.piece.holes)
    code = here.write(statement)
    here.piece.holes[before:] = [replace(hole, line=count_line(node)) for hole in here.piece.holes[before:]]
    return code


def find_parametric_struct(here: Scope, function: Node) -> Struct | None:
    """Return the struct whose constructor for given types ``Net{A, B}`` is, None if it is none of the file's."""
    if function.type != "parametrized_type_expression":
        return None
    return here.source.structs.get(read_last_name(function.named_children[0]))


def can_make_layers(here: Scope, node: Node) -> bool:
    """Whether there is a constructor of layers anywhere in a node, or a function that makes some."""
    if node.type == "call_expression":
        name = read_last_name(node.named_children[0])
        if here.kinds[name] == "builder" if name in here.kinds else name in here.source.table.layers:
            return True
    if node.type == "macrocall_expression" and "@compact" in read_text(node).partition("(")[0]:
        return True
    if node.type in ("call_expression", "parametrized_type_expression") and is_new(node.named_children[0]):
        return True
    if node.type == "call_expression" and (struct := find_parametric_struct(here, node.named_children[0])) is not None:
        return here.kinds.get(struct.name) == "builder"
    return any(can_make_layers(here, child) for child in node.named_children)
