"""Read the signatures of Julia's methods: how many arguments, which keywords, which declared types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luxport.porting.translate.parse import Arguments, find_head, read_text, walk_nodes

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["ANY_NUMBER", "Method", "read_method"]

ANY_NUMBER = 1000
"""The largest number of arguments of a method with a splat."""


@dataclass
class Method:
    """A method of a function or a constructor of a struct: its node, and the arguments it accepts."""

    node: Node
    python: str
    """Its name in Python, "" if calls cannot tell the methods apart."""
    least: int
    most: int
    keywords: frozenset[str]
    declared: tuple[str, ...]
    """The declared type of each parameter, "" without one."""

    def can_take(self, given: Arguments) -> bool:
        """Return whether the number and the keywords of these arguments match the method."""
        known = "..." in self.keywords or set(given.named) <= self.keywords
        return known and self.least <= len(given.positional) <= self.most


def _read_name(parameter: Node) -> Node:
    """Return the node of a parameter's name, without its type and default."""
    while parameter.named_children:
        parameter = parameter.named_children[0]
    return parameter


def read_method(node: Node) -> Method:
    """Read the signature of a method from its definition."""
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
            declared = declared or typed.type == "unary_typed_expression"  # ``::T``, a parameter without a name
            kind = read_text(typed.named_children[-1]) if declared else ""
            types.append(bounds.get(kind, kind))
            least += child.type not in ("named_argument", "assignment")
    return Method(node, "", least, most, frozenset(keywords), tuple(types))


def _read_bounds(node: Node) -> dict[str, str]:
    """Return the bound of each type variable in ``where {A <: AbstractMatrix}``, "" for one without a bound.

    An unbounded variable of several parameters is left out: that they have equal types is more than a bound can say.
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
