"""Find the calls in a source that make its models, and write each as a Python function without parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from luxport.porting.errors import FileFormatError
from luxport.porting.translate.definitions import find_signature, split_definition
from luxport.porting.translate.made_up_calls import make_up_calls
from luxport.porting.translate.module_checks import find_violation_in, parse_python
from luxport.porting.translate.output import Piece
from luxport.porting.translate.parse import (
    UNUSUAL,
    Unported,
    find_names,
    parse,
    read_arguments,
    read_last_name,
    read_text,
    write_one_line,
)
from luxport.porting.translate.scope import Scope

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["OwnCall", "find_own_calls"]

_MOST = 40


@dataclass(frozen=True)
class OwnCall:
    """A call that makes a layer: its source in Julia, and a Python function that makes the same layer."""

    julia: str
    python: str
    made_up: str = ""
    """The name of the called function, if the source never calls it and the sizes are made up."""


def find_own_calls(here: Scope, root: Node, defined: set[str]) -> list[OwnCall]:
    """Return the calls of functions that make layers, inside functions or statements that are not ported.

    Arguments may depend on variables of the function around, and on defaults of its parameters.
    """
    found: dict[str, OwnCall] = {}
    called: set[str] = set()

    def add(call: Node, variables: Mapping[str, Node], made_up: str = "") -> bool:
        julia = write_one_line(call)
        if julia in found or len(found) == _MOST:
            return False
        name = f"own_call_{len(found) + 1}"
        python = _write_function(replace(here, piece=Piece()), name, call, variables)
        tree = parse_python(python) if python else None
        if tree is None or find_violation_in(tree.body, defined):
            return False
        found[julia] = OwnCall(julia, python, made_up)
        return True

    for call, variables in _find_calls(root, {}):
        name = read_last_name(call.named_children[0])
        given = read_arguments(call)
        if here.kinds.get(name) == "builder" and (given.positional or given.named) and add(call, variables):
            called.add(name)
    builders = {name for name in find_names(root) if here.kinds.get(name) == "builder"} - called
    for name, julia in make_up_calls(root, builders):
        add(parse(julia).named_children[0], {}, name)
    return list(found.values())


def _find_calls(node: Node, variables: Mapping[str, Node]) -> Iterator[tuple[Node, Mapping[str, Node]]]:
    """Yield calls of named functions, without those in heads of definitions, and the variables around each."""
    if node.type in ("struct_definition", "macro_definition"):
        return
    inside = list(node.named_children)
    if (head := find_signature(node)) is not None:
        parameters, body = split_definition(node)
        variables = {**variables, **_find_assigned(parameters), **_find_assigned(body)}
        inside = [
            child for child in inside if not (child.start_byte <= head.start_byte and child.end_byte >= head.end_byte)
        ]
    elif node.type == "call_expression" and node.named_children[0].type == "identifier":
        yield node, variables
    for child in inside:
        yield from _find_calls(child, variables)


def _find_assigned(nodes: list[Node]) -> dict[str, Node]:
    """Return the expressions assigned to names in successive statements, and the defaults of parameters."""
    found: dict[str, Node] = {}
    for node in nodes:
        if node.type in ("assignment", "named_argument", "optional_parameter", "keyword_parameter"):
            left, *_, right = node.named_children
            while left.type in ("typed_expression", "typed_parameter") and left.named_children:
                left = left.named_children[0]
            if left.type == "identifier":
                found.setdefault(read_text(left), right)
        elif node.type in ("block", "compound_statement", "let_statement"):
            found |= {
                name: value for name, value in _find_assigned(list(node.named_children)).items() if name not in found
            }
    return found


def _write_function(here: Scope, name: str, call: Node, variables: Mapping[str, Node]) -> str:
    """Return a Python function that makes what a call makes, "" if something that it needs is unknown."""
    try:
        here.add_line(f"def {name}():")
        inner = here.open_block(depth=1)
        needed = _order_needed_variables(call, variables)
        if not here.source.changed.isdisjoint(needed):  # their values may be different when the call is reached
            return ""
        for variable in needed:
            value = inner.write(variables[variable])
            inner.add_code(f"{inner.spell(variable)} = ", value)
            inner = inner.bind_local({variable: value.kind})
        inner.add_code("return ", inner.write(call))
    except FileFormatError:
        raise
    except (Unported, *UNUSUAL):
        return ""
    return "" if here.piece.holes else "\n".join(here.piece.lines)


def _order_needed_variables(call: Node, variables: Mapping[str, Node]) -> list[str]:
    """Return the variables that a call depends on, each after those that it depends on itself."""
    order: list[str] = []
    pending, begun = [(name, False) for name in sorted(find_names(call) & variables.keys())], set[str]()
    while pending:
        name, done = pending.pop()
        if done:
            order.append(name)
        elif name not in begun:
            begun.add(name)
            inner = sorted(find_names(variables[name]) & variables.keys())
            pending += [(name, True), *((other, False) for other in inner)]
    return order
