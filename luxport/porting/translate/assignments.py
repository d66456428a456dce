"""Translate assignments: to names, tuples, fields, entries of vectors; and `push!`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.porting.translate.definitions import define
from luxport.porting.translate.indices import write_next_place, write_place
from luxport.porting.translate.parse import (
    Unported,
    find_names,
    is_named_tuple,
    list_parts,
    read_arguments,
    read_fields_of_names,
    read_last_name,
    read_text,
)
from luxport.porting.translate.scope import Scope, can_make_layers
from luxport.porting.translate.writing import Code, write_operand

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["assign", "assign_compound", "push"]


def assign(here: Scope, node: Node, last: bool) -> Scope:
    """Write an assignment, and return the scope after it."""
    target, _, *values = list_parts(node)
    if len(values) != 1:
        raise Unported("an assignment of several values")
    if target.type == "index_expression" and here.mode == "build":
        return _assign_entry(here, target, values[0])
    if any(here.is_outer(name) for name in find_names(target)):
        raise Unported("an assignment to a variable of the function around")
    if target.type == "typed_expression":
        target = target.named_children[0]
    if is_named_tuple(target):
        return _assign_fields(here, target, values[0], last)
    value, names = values[0], find_names(target)
    name = written = here.spell(read_text(target)) if target.type == "identifier" else ""
    here = replace(here, depths=here.depths.with_values(dict.fromkeys(names, here.depth)))
    compact = read_text(value).startswith(("@compact", "Lux.@compact"))
    if name and (value.type == "arrow_function_expression" or compact):
        code = define(here, value, mode="compact" if compact else "array", name=name)
        kinds = {read_text(target): code.kind}
    else:
        written = here.write_target(target)
        code = here.write_layer(value) if can_make_layers(here, value) else here.write(value)
        # Statements that are not ported would leave the dict here unchanged.
        if code.kind == "table" and names & here.source.changed:
            raise Unported("a Dict that is changed later")
        if (
            value.type == "identifier"
            and code.kind in ("layers", "sizes")
            and {read_text(value), *names} & here.source.filled
        ):
            raise Unported("another name for a vector whose entries are assigned")
        here.add_code(f"{written.removeprefix('(').removesuffix(')')} = ", code)
        if name:
            kinds = {read_text(target): code.kind}
        else:
            several = {"number"} if code.kind == "sizes" else {entry.kind for entry in code.entries}
            kinds = dict.fromkeys(names, several.pop() if len(several) == 1 else "unknown")
    if last:  # in Julia an assignment has a value
        here.add_line(f"return {name or written}")
    return here.bind(kinds)


def _assign_fields(here: Scope, target: Node, value: Node, last: bool) -> Scope:
    """Write ``(; a, b) = x``, which takes fields of a named tuple."""
    names = read_fields_of_names(target)
    found = here.write(value)
    if found.kind not in ("inputs", "tree", "bound") or last:
        raise Unported("`(; a, b) = x` of something that is not a named tuple")
    kind = "array" if found.kind == "inputs" else found.kind
    taken = [Code(f"{write_operand(found)}[{name!r}]") for name in names]
    here = replace(here, depths=here.depths.with_values(dict.fromkeys(names, here.depth)))
    here.add_line(f"{', '.join(map(here.spell, names))} = {', '.join(code.text for code in taken)}")
    return here.bind(dict.fromkeys(names, kind))


def _assign_entry(here: Scope, target: Node, value: Node) -> Scope:
    """Write ``layers[i] = layer`` in a vector that the current function made: a new list with another entry there."""
    base, brackets = target.named_children
    name, indices = read_text(base), list_parts(brackets)
    if base.type != "identifier" or len(indices) != 1:
        raise Unported("an assignment to something other than a name")
    if not here.is_local(name) or here.kinds.get(name) not in ("layers", "sizes"):
        raise Unported("a change of a vector that this function may not have made")
    where, written = write_place(here, indices[0]), here.spell(name)
    code = here.write_layer_or_number(value)
    if ":" in where or (where.startswith("-") and where != "-1"):
        raise Unported("a change of several entries, or of one counted from the end")
    if where == "-1":
        here.add_code(f"{written} = ", Code(f"[*{written}[:-1], {code.text}]", "layers"))
    else:
        after = write_next_place(where)
        here.add_code(f"{written} = ", Code(f"[*{written}[:{where}], {code.text}, *{written}[{after}:]]", "layers"))
    return here


def assign_compound(here: Scope, node: Node) -> None:
    """Write a compound assignment such as ``x += 1``."""
    target, operator, value = list_parts(node)
    symbol = read_text(operator)
    if target.type != "identifier" or read_text(target) not in here.kinds or symbol not in ("+=", "-=", "*="):
        raise Unported(f"an assignment with {symbol}")
    if here.is_outer(read_text(target)):
        raise Unported("an assignment to a variable of the function around")
    code, kind = here.write(value), here.kinds[read_text(target)]
    if symbol == "*=" and (code.kind, kind) != ("number", "number"):
        raise Unported("a product of values that may be matrices")
    name = here.spell(read_text(target))
    here.add_code(f"{name} = ", Code(f"{name} {symbol[0]} {write_operand(code)}", code.kind))


def push(here: Scope, node: Node) -> None:
    """Write a call of ``push!`` or ``append!``."""
    given = read_arguments(node)
    given.expect_keywords()
    if len(given.positional) < 2 or read_last_name(given.positional[0]) not in here.kinds:
        raise Unported("push! of something other than layers")
    listed, *values = given.positional
    pushed = read_last_name(node.named_children[0]) == "push!"
    for value in values:
        several = value.type == "splat_expression"
        if several and not pushed:
            raise Unported("append! of several lists in one")
        method = "append" if pushed and not several else "extend"
        code = here.write(value.named_children[0]) if several else here.write_layer(value)
        made = replace(code, text=f"{code.text})", closing=f"{code.closing})")
        here.add_code(f"{here.write(listed).text}.{method}(", made)
