"""Translate the fields and methods of structs that are layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.porting.translate.methods import order_methods, write_fitting_test
from luxport.porting.translate.parameters import read_kind_of_type
from luxport.porting.translate.parse import Unported, find_head, find_names, read_text
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.signatures import Method, read_method
from luxport.porting.translate.structs import Struct, find_span
from luxport.porting.translate.writing import Code, name_field

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["find_forwards", "read_receiver_name", "bind_fields", "write_methods", "read_field_kind", "write_fields"]


def find_forwards(struct: Struct) -> list[Method]:
    """Return a struct's methods in the order in which to test them, [] if the order is not certain.

    Several arguments are passed as one tuple, so a method for several and one for a tuple cannot be told apart.
    """
    entries = [read_method(node) for node in struct.forwards]
    if struct.base:  # ps and st do not distinguish methods
        entries = [
            replace(entry, least=1, most=1, declared=entry.declared[:1]) for entry in entries if entry.least == 3
        ]
    single = [entry for entry in entries if entry.most == 1]
    tuples = any(entry.declared[0].partition("{")[0] in ("Tuple", "NTuple") for entry in single)
    if len(entries) < len(struct.forwards) or (tuples and len(single) < len(entries)):
        return []
    return order_methods(entries)


def write_methods(here: Scope, struct: Struct, write: Callable[[Scope, Node, str], None], more: str) -> None:
    """Write several forward methods and a function that chooses one; `more` are the parameters ps and st."""
    names = {find_span(node): f"method_{i}" for i, node in enumerate(struct.forwards, 1)}
    inside = here.open_block(reserved=here.reserved | {"choose", *names.values()})
    for node in struct.forwards:
        receiver = read_receiver_name(node)
        method = inside.bind({receiver: "function" if more else "again"})
        write(replace(method, renamed={**here.renamed, receiver: "choose"}), node, names[find_span(node)])
        inside.add_line("")
    entries = find_forwards(struct)
    several = any(entry.most > 1 for entry in entries)
    here.output.helpers |= {"can_take", "is_kind"} | ({"make_tuple"} if several else set())
    inside.add_line(f"def choose(inputs{more}):")
    for entry in entries:
        inside.add_line(f"    if {write_fitting_test('make_tuple(inputs)' if several else '(inputs,)', entry)}:")
        inside.add_line(f"        return {names[find_span(entry.node)]}(inputs{more})")
    inside.add_line("    raise ValueError('no method takes these inputs')")
    inside.add_line("")
    inside.add_line(f"return choose(inputs{more})")


def read_field_kind(struct: Struct, name: str) -> str:
    """Return the kind of values of a field's declared type, "" if it does not tell."""
    node = struct.fields[name]
    return read_kind_of_type(read_text(node)) if node is not None else ""


def write_fields(here: Scope, struct: Struct) -> list[str]:
    """Return the parameters of a constructor that takes the fields."""
    if not struct.by_keyword:
        return [name_field(name) for name in struct.fields]
    listed = []
    for name in struct.fields:
        if name not in struct.defaults:
            listed.append(name_field(name))
            continue
        if find_names(struct.defaults[name]) & set(struct.fields):
            raise Unported("a default that depends on another field")
        listed.append(f"{name_field(name)}={here.write(struct.defaults[name]).text}")
    return ["*", *listed]


def read_receiver_name(forward: Node) -> str:
    """Return the name that a forward method has for its struct, "" if it has none."""
    head = find_head(forward)
    assert head is not None
    typed = head.named_children[0].named_children[0]
    return read_text(typed.named_children[0]) if len(typed.named_children) == 2 else ""


def bind_fields(here: Scope, method: Node, own: dict[str, Code]) -> Scope:
    """Return the scope of a method, in which the fields of its struct have these values."""
    receiver = read_receiver_name(method)
    return replace(here, fields={receiver: own} if receiver else {})
