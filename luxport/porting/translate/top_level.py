"""Translate the top-level statements of a file; one that cannot be translated is left out with a remark."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.porting.errors import FileFormatError
from luxport.porting.translate.definitions import define, find_signature
from luxport.porting.translate.methods import is_dispatched, write_chooser, write_dispatcher
from luxport.porting.translate.parse import (
    UNUSUAL,
    Unported,
    find_head,
    find_names,
    find_reason,
    read_arguments,
    read_last_name,
    read_text,
)
from luxport.porting.translate.scope import Scope, can_make_layers
from luxport.porting.translate.signatures import Method
from luxport.porting.translate.statements import write_statement
from luxport.porting.translate.struct_layers import write_struct
from luxport.porting.translate.structs import Struct, find_span

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["find_changed_in_place", "leave_out", "write_top_level"]

_TRAINING = ("loadmodel!", "loadparams!", "reset!", "seed!", "testmode!", "train!", "trainmode!", "update!")


def write_top_level(here: Scope, node: Node) -> Scope:
    """Write a statement of the file, and return the scope of those that follow.

    A statement that makes no layer (such as a training loop) and cannot be translated is left out with a remark; code
    that uses its names is marked as not ported, too.
    """
    owner = here.source.owners.get(find_span(node))
    after = _write_plain(here, node) if owner is None else _write_struct(here, node, owner)
    name, methods = _find_methods(here, node)
    if is_dispatched(name, methods) and find_span(node) == find_span(methods[-1].node):
        here.output.helpers |= {"can_take", "is_kind"}
        here.piece.lines += ["", "", *write_dispatcher(name, methods)]
    return after


def _find_methods(here: Scope, node: Node) -> tuple[str, list[Method]]:
    """Return the name of the function that a statement is a method of, and all its methods if there are several."""
    head = find_signature(node)
    name = read_text(head.named_children[0]) if head is not None else ""
    return name, here.source.several.get(name, [])


def _write_struct(here: Scope, node: Node, owner: Struct) -> Scope:
    """Write a struct at the last of the statements it consists of."""
    if find_span(node) != find_span(owner.last):
        return here.bind({owner.name: "builder"})
    mark = here.piece.mark()
    try:
        after = write_struct(here, owner).bind({owner.name: "builder" if owner.is_layer else "record"})
        for constructor in owner.constructors[: len(owner.inner)]:
            define(replace(after, constructed=owner), constructor.node, mode="build", name=constructor.python)
        if owner.chooser:
            after.piece.lines += ["", "", *write_chooser(owner)]
        return after
    except FileFormatError:
        raise
    except (Unported, *UNUSUAL) as error:
        here.piece.roll_back(mark)
        return leave_out(here.bind({owner.name: "unported"}), owner.node, find_reason(error))


def _write_plain(here: Scope, node: Node) -> Scope:
    """Write a statement that is not part of a struct."""
    mark, before = here.piece.mark(), len(here.piece.holes)
    if node.type in ("struct_definition", "module_definition"):
        return leave_out(here, node, "a definition of types")
    try:
        after = write_statement(here, node, False)
        if len(here.piece.holes) == before or can_make_layers(after, node):
            return after
        reason = here.piece.holes[before].reason
    except FileFormatError:
        raise
    except (Unported, *UNUSUAL) as error:
        reason = find_reason(error)
        defines = node.type == "assignment" and find_signature(node) is not None
        if can_make_layers(here, node) and node.type in ("assignment", "call_expression") and not defines:
            here.piece.roll_back(mark)
            here.add_line(here.write_hole(node, reason).text)
            return here
    here.piece.roll_back(mark)
    return leave_out(here, node, reason)


def leave_out(here: Scope, node: Node, reason: str) -> Scope:
    """Mark a statement as not ported; functions that it defines raise when they are called."""
    owner = here.source.owners.get(find_span(node))
    here.mark_hole(node, reason)
    if any(here.kinds.get(name, "unported") != "unported" for name in _find_assigned(node)):
        here.add_line(here.write_not_ported(node).text)  # it changes a value, which would keep its old state here
    name, methods = _find_methods(here, node)
    # Other methods may be the ones that are called.
    missing = set() if is_dispatched(name, methods) else _find_defined(node)
    if read_text(node).startswith(("@load ", "BSON.@load ", "JLD2.@load ")):
        # A layer stays defined: the file would only load its weights.
        missing |= {name for name in find_names(node) if here.kinds.get(name) != "layer"}
    head = find_head(node)
    stubs = [owner.python, *(entry.python for entry in owner.constructors)] if owner is not None else []
    stubs += [owner.chooser] if owner is not None and owner.chooser else []
    if head is not None and head.named_children[0].type == "identifier":
        own = [entry.python for entry in methods if entry.python and find_span(entry.node) == find_span(node)]
        stubs = own or [here.spell(read_text(head.named_children[0]))]
    for stub in stubs:  # earlier functions may call them
        here.add_line(f"def {stub}(*_, **__):")
        here.add_line(f"    return {here.write_not_ported(node).text}")
    return here.bind(dict.fromkeys(missing, "unported"))


def find_changed_in_place(node: Node) -> tuple[set[str], set[str]]:
    """Return the names that a statement inside changes: by a function with ``!``, or by assigning to entries.

    The second set are those to whose entries it assigns.
    """
    found: set[str] = set()
    filled: set[str] = set()
    pending = [node]
    while pending:
        node = pending.pop()
        pending += node.named_children
        if node.type in ("assignment", "compound_assignment_expression"):
            target = node.named_children[0]
            filled |= find_names(target.named_children[0]) if target.type == "index_expression" else set()
        elif node.type == "call_expression" and read_last_name(node.named_children[0]).endswith("!"):
            found |= find_names(node)
    return found | filled, filled


def _find_assigned(node: Node) -> set[str]:
    """Return the names that a statement assigns to or changes in place. Training is ignored: it changes only values."""
    found: set[str] = set()
    if node.type in ("assignment", "compound_assignment_expression") and find_signature(node) is None:
        found |= find_names(node.named_children[0])
    if node.type in ("call_expression", "broadcast_call_expression"):
        name = read_last_name(node.named_children[0])
        given = read_arguments(node).positional if name.endswith("!") and name not in _TRAINING else []
        found |= find_names(given[0]) if given else set()
    return found.union(*map(_find_assigned, node.named_children))


def _find_defined(node: Node) -> set[str]:
    if node.type in ("const_statement", "macrocall_expression", "macro_argument_list"):
        return set().union(*map(_find_defined, node.named_children)) if node.named_children else set()
    if node.type == "struct_definition":
        head = next(child for child in node.named_children if child.type == "type_head")
        while head.named_children:
            head = head.named_children[0]
        return {read_text(head)}
    if node.type in ("function_definition", "assignment"):
        head = find_signature(node)
        return {read_text(head.named_children[0])} if head is not None else find_names(node.named_children[0])
    return set()
