"""Translate conditions and loops that are statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.porting.translate.parse import find_names, list_parts, read_text
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.sequences import read_binding
from luxport.porting.translate.writing import write_operand

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["strip_brackets", "write_choice", "write_for", "write_if", "write_shortcut", "write_while"]


def strip_brackets(node: Node) -> Node:
    """Return the node inside brackets, in which assignments stand after ``&&``."""
    while node.type == "parenthesized_expression" and len(list_parts(node)) == 1:
        (node,) = list_parts(node)
    return node


def write_shortcut(here: Scope, node: Node, last: bool) -> Scope:
    """Write ``condition && action`` or ``condition || action`` as an ``if``."""
    left, operator, right = list_parts(node)
    condition = here.write_condition(left)
    here.add_line(f"if not {write_operand(condition)}:" if read_text(operator) == "||" else f"if {condition.text}:")
    after = _write_inside(here, [strip_brackets(right)], False)
    if last:
        here.add_line("return None")
    return after


def write_choice(here: Scope, node: Node) -> Scope:
    """Write ``condition ? action : action`` as an ``if``."""
    test, yes, no = list_parts(node)
    head = f"if {here.write_condition(test).text}:"
    for body in (yes, no):
        here.add_line(head)
        here = _write_inside(here, [] if read_text(body) == "nothing" else [strip_brackets(body)], False)
        head = "else:"
    return here


def write_if(here: Scope, node: Node, last: bool) -> Scope:
    """Write an ``if`` statement with its branches."""
    condition, *rest = list_parts(node)
    clauses = [child for child in rest if child.type in ("elseif_clause", "else_clause")]
    here.add_line(f"if {here.write_condition(condition).text}:")
    here = _write_inside(here, [child for child in rest if child not in clauses], last)
    for clause in clauses:
        body = list_parts(clause)
        if clause.type == "elseif_clause":
            test, *body = body
            here.add_line(f"elif {here.write_condition(test).text}:")
        else:
            here.add_line("else:")
        here = _write_inside(here, body, last)
    return here


def write_while(here: Scope, node: Node) -> Scope:
    """Write a ``while`` loop."""
    condition, *body = list_parts(node)
    here.add_line(f"while {here.write_condition(condition).text}:")
    return here.take_bindings(_write_inside(_enter_loop(here, body), body, False))


def write_for(here: Scope, node: Node) -> Scope:
    """Write a ``for`` loop, over one sequence or several nested ones."""
    bindings = [child for child in node.named_children if child.type == "for_binding"]
    body = [child for child in node.named_children if child.type != "for_binding"]
    inside, looped = _enter_loop(here, body), set[str]()
    for position, entry in enumerate(bindings):
        variable, over, kinds = read_binding(inside, entry)
        names = find_names(variable)
        for name in sorted(name for name in names if name in inside.kinds):
            inside = inside.rename_variable(name)  # in Julia the loop's variable is a new one, which ends with the loop
        looped |= names
        inside = replace(
            inside.bind_local(kinds), loop_variables=inside.loop_variables | names, indent=here.indent + 4 * position
        )
        inside.add_line(f"for {inside.write_target(variable).removeprefix('(').removesuffix(')')} in {over}:")
    after = here.take_bindings(_write_inside(inside, body, False))
    return replace(
        after,
        kinds=after.kinds.with_values_of(here.kinds, looped),
        depths=after.depths.with_values_of(here.depths, looped),
    )


def _enter_loop(here: Scope, body: Sequence[Node]) -> Scope:
    """Return the scope of a loop, in which the variables that it assigns change with each iteration."""
    kinds = ("assignment", "compound_assignment_expression")
    assigned = [find_names(child.named_children[0]) for child in body if child.type in kinds]
    return replace(here, loop_variables=here.loop_variables.union(*assigned))


def _write_inside(here: Scope, body: Sequence[Node], last: bool) -> Scope:
    """Write the statements of an indented block."""
    count = len(here.piece.lines)
    after = here.source.table.block(here.open_block(), body, returns=last)
    if all(line.lstrip().startswith("#") for line in here.piece.lines[count:]):
        here.open_block().add_line("pass")
    return here.take_bindings(after)
