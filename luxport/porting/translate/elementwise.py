"""Find the functions of a file that are always applied to single numbers: by a dot, or as a layer's activation."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from luxport.porting.translate.comparisons import COMPARISONS
from luxport.porting.translate.parse import find_head, read_last_name, read_text, walk_nodes

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["find_functions_of_elements"]

# Without ``===``, which compares whole objects.
_COMPARISONS = {symbol for symbol, sign in COMPARISONS.items() if not sign.startswith("is")}


def find_functions_of_elements(root: Node, statements: Iterable[Node], layers: Collection[str]) -> set[str]:
    """Return the functions whose every use is on single numbers.

    Such uses are calls with a dot, calls in other such functions, and arguments of a layer's constructor. Calls with a
    dot could also go over a list of matrices: alone, they only count if the function compares, as matrices cannot be.
    """
    own: dict[str, list[Node]] = {}
    for node in statements:
        head = find_head(node)
        if head is not None and head.named_children[0].type == "identifier":
            own.setdefault(read_text(head.named_children[0]), []).append(node)
    bodies = {name: nodes[0] for name, nodes in own.items() if len(nodes) == 1}
    heads = {head.named_children[0].id for node in bodies.values() if (head := find_head(node)) is not None}
    uses: dict[str, set[str]] = {name: set() for name in bodies}
    for node in walk_nodes(root):
        if node.type == "identifier" and (name := read_text(node)) in uses and node.id not in heads:
            uses[name].add(_classify_use(node, bodies, layers))
    found = {
        name for name, used in uses.items() if "layer" in used or ("dot" in used and _has_comparison(bodies[name]))
    }
    while more := {name for name in uses if name not in found and uses[name] and uses[name] <= found}:
        found |= more
    while wrong := {name for name in found if uses[name] - {"dot", "layer", *found}}:
        found -= wrong
    return found


def _classify_use(node: Node, bodies: dict[str, Node], layers: Collection[str]) -> str:
    """Return "dot", "layer", the name of the function that calls it without a dot, or "other"."""
    around = node.parent
    if around is None:
        return "other"
    first = bool(around.named_children) and around.named_children[0] == node
    if around.type == "broadcast_call_expression" and first:
        return "dot" if _is_within_function(around) else "other"
    if around.type == "argument_list" and around.parent is not None and around.parent.type == "call_expression":
        return "layer" if read_last_name(around.parent.named_children[0]) in layers else "other"
    if around.type == "call_expression" and first:
        outer = around
        while outer is not None:
            head = find_head(outer)
            if head is not None and bodies.get(read_text(head.named_children[0])) == outer:
                return read_text(head.named_children[0])
            outer = outer.parent
    return "other"


def _is_within_function(node: Node | None) -> bool:
    while node is not None:
        if node.type in ("arrow_function_expression", "do_clause") or find_head(node) is not None:
            return True
        node = node.parent
    return False


def _has_comparison(body: Node) -> bool:
    return any(
        node.type == "binary_expression" and read_text(node.named_children[1]) in _COMPARISONS
        for node in walk_nodes(body)
    )
