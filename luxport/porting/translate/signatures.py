"""What Julia's methods can be called with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luxport.porting.translate.parse import Arguments, find_head, read_text, walk_nodes

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["ANY_NUMBER", "Method", "read_method"]

ANY_NUMBER = 1000
"""As many arguments as a method with a splat may be called with."""


@dataclass
class Method:
    """A method of a function, or of the making of a struct: where it stands, and what it can be called with."""

    node: Node
    python: str
    """Its name in Python, nothing if nobody can tell which method a call means."""
    least: int
    most: int
    keywords: frozenset[str]
    declared: tuple[str, ...]
    """The declared type of each parameter, nothing where there is none."""

    def can_take(self, given: Arguments) -> bool:
        """Whether it can be called so, as far as numbers and names of arguments tell."""
        known = "..." in self.keywords or set(given.named) <= self.keywords
        return known and self.least <= len(given.positional) <= self.most


def _read_name(parameter: Node) -> Node:
    """Return the name of a parameter, which may have a type and a default."""
    while parameter.named_children:
        parameter = parameter.named_children[0]
    return parameter


def read_method(node: Node) -> Method:
    """Return what a method can be called with."""
    head = find_head(node)
    assert head is not None
    listed = [child for child in head.named_children if child.type == "argument_list"]
    bounds = _read_bounds(node)
    least = most = 0
    keywords: set[str] = set()
    types: list[str] = []
    after = False
    for child in listed[0].children if listed else []:
        if child.type == ";":
            after = True
        if not child.is_named or child.type.endswith("_comment"):
            continue
        name = child.named_children[0] if child.named_children else child
        if after:
            keywords.add("..." if child.type == "splat_expression" else read_text(_read_name(child)))
        elif child.type == "splat_expression":
            most = ANY_NUMBER
        else:
            most += 1
            typed = name if child.type in ("named_argument", "assignment") else child
            declared = typed.type == "typed_expression" and len(typed.named_children) == 2
            declared = declared or typed.type == "unary_typed_expression"  # a type alone, of what is not used
            kind = read_text(typed.named_children[-1]) if declared else ""
            types.append(bounds.get(kind, kind))
            least += child.type not in ("named_argument", "assignment")
    return Method(node, "", least, most, frozenset(keywords), tuple(types))


def _read_bounds(node: Node) -> dict[str, str]:
    """Return what ``where {A <: AbstractMatrix}`` says of each variable for a type; one that is free says nothing.

    A free one that several parameters have wants them alike, which no type says.
    """
    found: dict[str, str] = {}
    head = node.named_children[0]
    while head.type in ("signature", "where_expression", "typed_expression") and head.named_children:
        if head.type == "where_expression":
            for part in head.named_children[1:]:
                for bound in part.named_children if part.type == "curly_expression" else [part]:
                    if bound.type == "binary_expression" and read_text(bound.named_children[1]) == "<:":
                        found[read_text(bound.named_children[0])] = read_text(bound.named_children[-1])
                    elif bound.type == "identifier":
                        found[read_text(bound)] = ""
        head = head.named_children[0]
    if head.type == "call_expression":
        declared = [read_text(part.named_children[-1]) for part in walk_nodes(head) if part.type == "typed_expression"]
        found = {name: above for name, above in found.items() if above or declared.count(name) < 2}
    return found
