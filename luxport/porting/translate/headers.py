"""Find a file's types, functions and packages before it is translated, and write the module's first remark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luxport.porting.translate.definitions import find_signature
from luxport.porting.translate.output import Hole
from luxport.porting.translate.parse import find_head, find_names, read_last_name, read_text, walk_nodes
from luxport.porting.translate.scope import Scope, can_make_layers
from luxport.porting.translate.writing import write_remark

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["declare_functions", "find_packages", "find_types", "write_header"]


def write_header(holes: tuple[Hole, ...]) -> str:
    """Return the remark at the top of a module that lists its holes, "" if there are none."""
    if not holes:
        return ""
    count = f"{len(holes)} {'piece' if len(holes) == 1 else 'pieces'}"
    lines = [
        f"# Translated from Julia by `luxport port`, except for {count}. Where the model runs one of them, it raises",
        "# NotImplementedError; importing this file does not. Their lines in the Julia file, and the reasons:",
        *(write_remark(f"  line {hole.line}: {hole.julia} ({hole.reason})") for hole in holes[:_LISTED]),
    ]
    if len(holes) > _LISTED:
        lines.append(f"# and {len(holes) - _LISTED} more, marked below")
    return "\n".join([*lines, "", ""])


_LISTED = 100


def find_types(statements: list[Node]) -> set[str]:
    """Return the names of types that statements define."""
    found: set[str] = set()
    for node in statements:
        inner = node.named_children[0] if node.type == "const_statement" and node.named_children else node
        if inner.type in ("abstract_definition", "primitive_definition"):
            found |= find_names(inner)
        elif inner.type == "assignment" and find_head(inner) is None:
            found |= find_names(inner.named_children[0])
    return found


def declare_functions(here: Scope, statements: list[Node]) -> Scope:
    """Return a scope with all functions of the file, which others may call before their definitions."""
    structs = here.source.structs
    functions = [(read_text(head.named_children[0]), node) for node in statements if (head := find_signature(node))]
    functions += _find_arrows(statements)
    functions = [(name, node) for name, node in functions if name not in structs]
    kinds = {name: "builder" for name, struct in structs.items() if struct.is_layer}
    kinds |= {name: "function" for name, _ in functions}
    callers: dict[str, list[str]] = {}
    for name, node in functions:
        for called in _find_calls(node):
            callers.setdefault(called, []).append(name)
    here = here.bind(kinds)
    makers = [name for name, node in functions if can_make_layers(here, node)]
    while makers:
        name = makers.pop()
        if kinds[name] == "function":
            kinds[name] = "builder"
            makers += callers.get(name, [])
    return here.bind(kinds)


def _find_arrows(statements: list[Node]) -> list[tuple[str, Node]]:
    """Return the anonymous functions that are assigned to a name, and the name to nothing else."""
    found: dict[str, list[Node]] = {}
    for statement in statements:
        node = statement.named_children[0] if statement.type == "const_statement" else statement
        if node.type == "assignment" and find_head(node) is None and node.named_children[0].type == "identifier":
            found.setdefault(read_text(node.named_children[0]), []).append(node)
    alone = [(name, nodes[0]) for name, nodes in found.items() if len(nodes) == 1]
    return [(name, node) for name, node in alone if node.named_children[-1].type == "arrow_function_expression"]


def _find_calls(node: Node) -> set[str]:
    return {read_last_name(part.named_children[0]) for part in walk_nodes(node) if part.type == "call_expression"}


def find_packages(root: Node) -> set[str]:
    """Return which of Flux and Lux a file uses: one, both or none."""
    used: set[str] = set()
    for node in walk_nodes(root):
        if node.type in ("using_statement", "import_statement", "field_expression"):
            used |= find_names(node) if node.type != "field_expression" else {read_text(node.named_children[0])}
        elif node.type == "macrocall_expression" and read_text(node).startswith("@compact"):
            used.add("Lux")
    return used & {"Flux", "Lux"}
