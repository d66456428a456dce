"""Find Julia's structs in a file: their fields, and the methods and marks elsewhere that belong to them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from luxport.porting.translate.parse import find_head, find_names, read_text
from luxport.porting.translate.signatures import Method, read_method
from luxport.porting.translate.writing import name_in_python

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["Struct", "find_structs", "is_new", "find_span"]


@dataclass
class Struct:
    """A struct definition, and the statements elsewhere in the file that make it a layer."""

    name: str
    node: Node
    base: str = ""
    """luxport's base class for Lux's abstract type, "" for a struct without one."""
    by_keyword: bool = False
    fields: dict[str, Node | None] = field(default_factory=dict)
    defaults: dict[str, Node] = field(default_factory=dict)
    inner: list[Node] = field(default_factory=list)
    forwards: list[Node] = field(default_factory=list)
    parameters: list[Node] = field(default_factory=list)
    states: list[Node] = field(default_factory=list)
    marks: list[Node] = field(default_factory=list)
    constructors: list[Method] = field(default_factory=list)
    trainable: frozenset[str] | None = None
    python: str = ""
    """The Python name of the constructor that takes the fields."""
    has_parameters: bool = False
    """Whether its type has parameters: then Julia defines no constructor that converts its arguments."""
    chooser: str = ""
    """The function that calls the constructor Julia would choose by the arguments' types, "" if that is unknown."""

    def read_type(self, name: str) -> str:
        """Return the name of a field's declared type without parameters, "" if it has none."""
        node = self.fields[name]
        return read_text(node).partition("{")[0].rpartition(".")[2] if node is not None else ""

    @property
    def is_layer(self) -> bool:
        """Whether it can be called: through a method of its own, or as Lux's wrapper of one layer."""
        return bool(self.forwards) or self.base == "WrapperLayer"

    @property
    def last(self) -> Node:
        """The last statement that the struct is translated from; its Python code takes that position."""
        lasts = [part[-1] for part in (self.forwards, self.parameters, self.states) if part]  # in file order
        return max([self.node, *lasts], key=lambda node: node.start_byte)


_BASES = {
    "AbstractLuxLayer": "Layer",
    "AbstractExplicitLayer": "Layer",
    "AbstractLuxContainerLayer": "ContainerLayer",
    "AbstractExplicitContainerLayer": "ContainerLayer",
    "AbstractLuxWrapperLayer": "WrapperLayer",
}
_MARKS = ("@layer", "@functor", "@treelike")
_IGNORED_METHODS = ("parameterlength", "statelength", "show", "outputsize")


def find_structs(statements: Sequence[Node]) -> dict[str, Struct]:
    """Return the structs of a file by name, with their methods."""
    found: dict[str, Struct] = {}
    bases = dict(_BASES)
    for node in statements:
        if node.type == "abstract_definition":
            _add_base(node, bases)
    for node in statements:
        struct = _read_definition(node, bases)
        if struct is not None:
            found[struct.name] = struct
    for node in statements:
        _assign_statement(node, found)
    for struct in found.values():
        struct.constructors[:0] = [read_method(node) for node in struct.inner]
        for position, constructor in enumerate(struct.constructors, 1):
            constructor.python = name_in_python(struct.name) + (f"_{position}" if position > 1 else "")
        plain = name_in_python(struct.name)
        suffix = "Layer" if struct.base else "_of_fields"
        struct.python = plain + suffix if struct.constructors else plain
    return found


def _add_base(node: Node, bases: dict[str, str]) -> None:
    """Register an abstract type that is a subtype of one of Lux's."""
    head = next(child for child in node.named_children if child.type == "type_head").named_children[0]
    if head.type == "binary_expression":
        name, above = [
            read_text(child).partition("{")[0] for child in (head.named_children[0], head.named_children[-1])
        ]
        base = bases.get(above.rpartition(".")[2])
        if base is not None:
            bases[name] = base


def _read_definition(node: Node, bases: Mapping[str, str]) -> Struct | None:
    """Read a struct definition, also inside a macro such as ``@kwdef``; return None for any other statement."""
    definition, macro = node, ""
    if node.type == "macrocall_expression":
        macro = read_text(node).split(maxsplit=1)[0]
        listed = [child for child in node.named_children if child.type == "macro_argument_list"]
        if not listed or not listed[0].named_children:
            return None
        definition = listed[0].named_children[0]
    if definition.type != "struct_definition" or definition.has_error:
        return None
    head = next(child for child in definition.named_children if child.type == "type_head").named_children[0]
    base = ""
    if head.type == "binary_expression":
        above = read_text(head.named_children[-1])
        base = above.partition("{")[0].rpartition(".")[2]
        # An old container of a single layer: its parameters are not nested under the layer's name.
        if base == "AbstractExplicitContainerLayer" and re.search(r"\{\(?:\w+,?\)?\}$", above):
            base = "AbstractLuxWrapperLayer"
        head = head.named_children[0]
    bounds: dict[str, Node] = {}
    has_parameters = head.type == "parametrized_type_expression"
    free = {read_text(bound) for bound in head.named_children[-1].named_children} if has_parameters else set()
    if has_parameters:
        for bound in head.named_children[-1].named_children:
            if bound.type == "binary_expression":
                bounds[read_text(bound.named_children[0])] = bound.named_children[-1]
        head = head.named_children[0]
    struct = Struct(read_text(head), node, bases.get(base, ""), macro.endswith(("@kwdef", "@with_kw")))
    struct.has_parameters = has_parameters
    for child in definition.named_children:
        entry = child
        if entry.type == "const_statement":
            entry = entry.named_children[0]
        if entry.type in ("type_head", "line_comment", "block_comment", "string_literal"):
            continue
        if entry.type == "function_definition" or (entry.type == "assignment" and find_head(entry) is not None):
            struct.inner.append(entry)
            continue
        if entry.type == "assignment":
            name = entry.named_children[0]
            default = entry.named_children[-1]
            name = name.named_children[0] if name.type == "typed_expression" else name
            struct.defaults[read_text(name)] = default
            entry = entry.named_children[0]
        kind = None
        if entry.type in ("typed_expression", "binary_expression"):
            entry, kind = entry.named_children[0], entry.named_children[-1]
            kind = bounds.get(read_text(kind), None if read_text(kind) in free else kind)
        if entry.type != "identifier":
            return None
        struct.fields[read_text(entry)] = kind
    return struct


def _find_receiver(call: Node) -> str:
    """Return the struct that a method belongs to: the type of the object called, or of the last argument, as in Lux."""
    function = call.named_children[0]
    if function.type == "parenthesized_expression":
        typed = function.named_children[0]
    else:
        listed = [child for child in call.named_children if child.type == "argument_list"]
        if not listed or not listed[0].named_children:
            return ""
        typed = listed[0].named_children[-1]
    if typed.type not in ("typed_expression", "unary_typed_expression"):
        return ""
    return read_text(typed.named_children[-1]).partition("{")[0].rpartition(".")[2]


def _assign_statement(node: Node, found: dict[str, Struct]) -> None:
    """Add a method, a constructor or a mark such as ``@layer`` to the struct that it belongs to."""
    if node.type == "macrocall_expression":
        named = next((read_text(child) for child in node.named_children if child.type == "macro_identifier"), "")
        owners = [found[name] for name in sorted(find_names(node)) if name in found]
        if named in _MARKS and len(owners) == 1:
            owners[0].marks.append(node)
            _read_trainable(owners[0], node)
        return
    head = find_head(node)
    if head is None:
        return
    function = head.named_children[0]
    if function.type == "parenthesized_expression":
        owner = found.get(_find_receiver(head))
        if owner is not None:
            owner.forwards.append(node)
        return
    name = read_text(function).partition("{")[0]
    if name in found:
        if function.type != "identifier":
            # most = -1 marks a constructor by type, ``Net{T}(...)``, which is not ported.
            found[name].constructors.append(Method(node, "", 0, -1, frozenset(), ()))
        else:
            found[name].constructors.append(read_method(node))
        return
    owner = found.get(_find_receiver(head))
    plain = read_text(function).rpartition(".")[2]
    if owner is None or function.type != "field_expression" and plain not in ("initialparameters", "initialstates"):
        return
    if plain == "initialparameters":
        owner.parameters.append(node)
    elif plain == "initialstates":
        owner.states.append(node)
    elif plain == "trainable":
        owner.marks.append(node)
        value = node.named_children[-1]
        value = value.named_children[-1] if value.type == "return_statement" else value
        owner.trainable = frozenset(find_names(value)) & set(owner.fields)
    elif plain in _IGNORED_METHODS:
        owner.marks.append(node)


def _read_trainable(struct: Struct, node: Node) -> None:
    """Read the trainable fields from ``@layer S trainable=(a,)`` or ``@functor S (a,)``."""
    for part in node.named_children[-1].named_children:
        if part.type == "assignment" and read_text(part.named_children[0]) == "trainable":
            struct.trainable = frozenset(find_names(part.named_children[-1])) & set(struct.fields)
        elif part.type == "tuple_expression":
            struct.trainable = frozenset(find_names(part)) & set(struct.fields)


def find_span(node: Node) -> tuple[int, int]:
    """Return the start and end byte of a node, which identify it in its file."""
    return node.start_byte, node.end_byte


def is_new(node: Node) -> bool:
    """Return whether the function of a call is ``new`` or ``new{T}``."""
    return read_text(node) == "new" or (
        node.type == "parametrized_type_expression" and read_text(node).startswith("new{")
    )
