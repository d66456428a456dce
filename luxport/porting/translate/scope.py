"""`Scope`: what is known of variables at a place in the Julia source, and how nodes there are translated."""

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
"""A function that translates a call, from its arguments."""


@dataclass(frozen=True)
class Table:
    """The functions that translate: expressions by kind of node, layers by name, function definitions, statements."""

    readers: Mapping[str, Callable[[Scope, Node], Code]]
    layers: Mapping[str, Builder]
    define: Callable[..., Code]
    block: Callable[..., Scope]


@dataclass(frozen=True)
class Source:
    """Facts about the whole file, collected before any of it is translated, and the table of translating functions."""

    table: Table
    dialect: str | None
    """The package of its layers, "flux" or "lux"; None if it uses both or neither."""
    names_no_package: bool
    """Whether it mentions neither Flux nor Lux."""
    flux: tuple[int, int] | None
    """The version of Flux that it is written for, None if unknown."""
    structs: Mapping[str, Struct]
    owners: Mapping[tuple[int, int], Struct]
    """The struct that each statement belongs to, by the statement's position."""
    several: Mapping[str, list[Method]]
    """The functions with several methods."""
    types: set[str]
    """The names of types that the file defines, and of constants, which may be aliases of types."""
    changed: set[str]
    """The names whose values some statement changes in place."""
    filled: set[str]
    """The names to whose entries some statement assigns."""
    of_elements: set[str]
    """The functions that are only called on single numbers."""


@dataclass(frozen=True)
class Scope:
    """What is known at a place in a file, and the piece of Python that the code at that place is written to.

    A scope is immutable: the inside of a function, a loop or a struct has its own, made by `replace`, and a statement
    that binds names returns the scope of the statements that follow.
    """

    source: Source
    output: Output
    piece: Piece = field(default_factory=Piece)
    mode: str = "build"
    """What names of unknown kind are: in "build" (code that makes layers) numbers and sizes; in "array" (functions of
    arrays) and "lux" (methods that take ps and st) arrays or anything; in "scalar" (activations) single elements."""
    kinds: Names[str] = field(default_factory=lambda: Names())
    """The kind of each variable's value, "unported" if its definition was not ported."""
    depth: int = 0
    """The number of functions around this place."""
    depths: Names[int] = field(default_factory=lambda: Names())
    """The depth at which each variable was assigned."""
    indent: int = 0
    loop_variables: frozenset[str] = frozenset()
    """The variables that change with each iteration of the enclosing loops."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """The Python names of variables whose usual name is taken."""
    reserved: frozenset[str] = frozenset()
    """Python names that variables must not have."""
    fields: Mapping[str, Mapping[str, Code]] = field(default_factory=dict)
    """The fields of the struct whose method this is, by the receiver's name."""
    constructed: Struct | None = None
    """The struct whose constructor is being translated."""
    record_fields: Mapping[str, str] = field(default_factory=dict)
    """The kinds of the fields of structs that are not layers."""

    def bind(self, kinds: Mapping[str, str], **more: Any) -> Scope:
        """Return a scope in which names have these kinds."""
        return replace(self, kinds=self.kinds.with_values(kinds), **more)

    def bind_local(self, kinds: Mapping[str, str]) -> Scope:
        """Return a scope in which the current function has assigned values of these kinds to names."""
        return self.bind(kinds, depths=self.depths.with_values(dict.fromkeys(kinds, self.depth)))

    def take_bindings(self, inner: Scope) -> Scope:
        """Return this scope with the bindings that statements in an inner scope have made."""
        return replace(self, kinds=inner.kinds, depths=inner.depths)

    def open_block(self, **more: Any) -> Scope:
        """Return the scope of an indented block."""
        return replace(self, indent=self.indent + 4, **more)

    def open_loop(self, kinds: Mapping[str, str]) -> Scope:
        """Return the scope inside a loop whose variables have these kinds."""
        return self.bind(kinds, loop_variables=self.loop_variables | set(kinds))

    def is_local(self, name: str) -> bool:
        """Return whether the current function has assigned a variable."""
        return self.depths.get(name) == self.depth

    def is_outer(self, name: str) -> bool:
        """Return whether an outer function or the file has assigned a variable, and the current function has not."""
        return self.depths.get(name, self.depth) < self.depth

    def spell(self, julia: str) -> str:
        """Return a variable's name in Python, none of those reserved for parts of the layer."""
        return self.renamed.get(julia) or self.output.reserve_name(name_in_python(julia), julia, self.reserved)

    def rename_variable(self, julia: str) -> Scope:
        """Return a scope in which a variable gets a new Python name, because it shadows one of the same name."""
        hidden = self.spell(julia)
        name = self.output.reserve_name(f"{hidden}_", f"{julia} beside {hidden}", self.reserved)
        return replace(self, renamed={**self.renamed, julia: name})

    def write(self, node: Node) -> Code:
        """Translate an expression; if it cannot be, return a call that raises, and put a remark above the statement."""
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
        """Record a piece that is not ported, and return a call that raises in its place."""
        self.mark_hole(node, reason)
        return self.write_not_ported(node)

    def mark_hole(self, node: Node, reason: str) -> None:
        """Record a piece that is not ported, with a remark in the Python code."""
        self.piece.holes.append(Hole(count_line(node), write_one_line(node), reason))
        self.add_line(write_remark(f"TODO: not ported: {write_one_line(node)} ({reason})"))

    def write_not_ported(self, node: Node) -> Code:
        """Return a call of the helper that raises NotImplementedError."""
        return self.call_helper("not_ported", [Code(repr(write_one_line(node)))])

    def add_line(self, line: str) -> None:
        """Append a line to the current piece."""
        self.piece.lines.append(" " * self.indent + line if line else "")

    def add_code(self, before: str, code: Code) -> None:
        """Append an expression to the current piece, on several lines if it is long."""
        self.piece.lines += render(code, before, self.indent)

    def call_helper(self, name: str, given: Iterable[Code]) -> Code:
        """Return a call of a helper function, which the module will define."""
        self.output.helpers.add(name)
        return call(name, given, None, "array" if name != "not_ported" else "unknown")

    def name_helper(self, name: str) -> Code:
        """Return a helper function as a value; the module will define it."""
        self.output.helpers.add(name)
        return Code(name, "function")

    def call_xp(self, name: str, given: Iterable[Code], options: dict[str, Code] | None = None) -> Code:
        """Return a call of a function of the Array API."""
        if self.mode == "build":
            raise Unported("an operation on arrays outside of a function")
        self.piece.uses_xp = True
        return call(f"xp.{name}", given, options, "array")

    def define_function(self, node: Node, mode: str, name: str = "") -> Code:
        """Write a function above the current statement, and return its name, with the kind of what it returns."""
        return self.source.table.define(self, node, mode=mode, name=name)

    def name_initializer(self, name: str) -> Code:
        """Return luxport's initializer for its name in Julia."""
        return Code(f"luxport.initializers.{INITIALIZERS[name]}", "function")

    def write_value(self, node: Node) -> Code:
        """Translate an expression: as a layer in code that builds layers, else as any value."""
        return self.write_layer(node) if self.mode == "build" else self.write(node)

    def write_condition(self, node: Node) -> Code:
        """Translate an expression that must be a boolean."""
        code = self.write(node)
        if code.kind not in ("flag", "unknown"):
            raise Unported("a condition that is not a boolean")
        return code

    def write_flag(self, node: Node) -> Code:
        """Translate a boolean option, which Julia may also write as a type, ``Val(true)``."""
        code = Code(_FLAGS[read_text(node)], "flag") if read_text(node) in _FLAGS else self.write(node)
        if code.kind not in ("flag", "unknown") or "[" in code.text:
            raise Unported("a boolean expected")
        return code

    def write_sizes(self, node: Node) -> Code:
        """Translate sizes along spatial axes, into our order."""
        if node.type == "tuple_expression":
            return group("(", [self.write(entry) for entry in list_parts(node)[::-1]], ")", "sizes")
        code = self.write(node)
        if code.kind == "number":
            return code
        if code.kind not in ("sizes", "unknown"):
            raise Unported("sizes expected")
        return code if code.text.startswith("not_ported(") else self.call_helper("reverse_sizes", [code])

    def is_function(self, node: Node) -> bool:
        """Return whether a node is a function rather than a number."""
        name = read_last_name(node)
        return node.type == "arrow_function_expression" or (name in ACTIVATIONS and name not in self.kinds)

    def write_activation(self, node: Node) -> Code:
        """Translate an activation or another elementwise function."""
        name = read_last_name(node)
        if node.type == "arrow_function_expression" or (name in ELEMENTWISE and name not in self.kinds):
            return self.define_function(node, "scalar").with_kind("function")
        code = self.write(node)
        if code.kind not in ("function", "unknown"):
            raise Unported("an activation expected")
        return code

    def write_layer(self, node: Node) -> Code:
        """Translate a layer, or a function used as a layer."""
        code = self.write_layer_or_number(node)
        return self.write_hole(node, "a layer expected") if code.kind in ("number", "flag") else code

    def write_layer_or_number(self, node: Node) -> Code:
        """Translate a layer, a function used as a layer, or any other entry of a list."""
        name = read_last_name(node)
        if name in _AS_LAYERS and name not in self.kinds:
            return call(_AS_LAYERS[name], [])
        if name in ("transpose", "vec") and name not in self.kinds:
            return rewrite(self, node, f"x -> {name}(x)")
        if node.type in ("vector_expression", "tuple_expression") and not is_named_tuple(node):
            return group("[", [self.write_layer(entry) for entry in list_parts(node)], "]", "layers")
        return self.write(node)

    def write_target(self, node: Node) -> str:
        """Translate the target of an assignment: a name, or names nested in tuples."""
        if node.type == "identifier":
            return self.spell(read_text(node))
        if node.type in ("tuple_expression", "open_tuple", "argument_list") and not is_named_tuple(node):
            names = [self.write_target(child) for child in node.named_children]
            return f"({', '.join(names)}{',' if len(names) == 1 else ''})"
        raise Unported("an assignment to something other than a name")

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
    """Return a function for a device: it returns its argument, as arrays here stay where they are."""
    return here.name_helper("keep").with_kind("device")


def rewrite(here: Scope, node: Node, julia: str) -> Code:
    """Translate other Julia code in place of a node; holes in it are reported at the node's line."""
    (statement,) = parse(julia).named_children
    before = len(here.piece.holes)
    code = here.write(statement)
    here.piece.holes[before:] = [replace(hole, line=count_line(node)) for hole in here.piece.holes[before:]]
    return code


def find_parametric_struct(here: Scope, function: Node) -> Struct | None:
    """Return the file's struct whose parametric constructor ``Net{A, B}`` is called, None for any other function."""
    if function.type != "parametrized_type_expression":
        return None
    return here.source.structs.get(read_last_name(function.named_children[0]))


def can_make_layers(here: Scope, node: Node) -> bool:
    """Return whether a node contains a constructor of layers or a call of a function that makes layers."""
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
