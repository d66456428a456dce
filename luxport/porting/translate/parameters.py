"""Translate the parameters of Julia's functions."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luxport.porting.translate.names import Names
from luxport.porting.translate.parse import (
    Unported,
    find_names,
    is_named_tuple,
    read_fields_of_names,
    read_text,
    walk_nodes,
)
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.writing import Code

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["Parameters", "list_names", "read_kind_of_type", "write_parameters"]


def list_names(parameters: list[Node]) -> set[str]:
    """Return the names that the parameters of a function bind."""
    found: set[str] = set()
    for node in parameters:
        for around in (("named_argument", "named_field", "assignment"), ("splat_expression",), ("typed_expression",)):
            node = node.named_children[0] if node.type in around else node
        found |= find_names(node)
    return found


@dataclass(frozen=True)
class Parameters:
    """The translated parameters of a function: its argument list, and the first lines of its body that unpack them."""

    listed: list[str]
    first: str
    """The name of the first parameter that may be an array, "" if there is none."""
    opening: list[str]
    names: set[str]
    """The parameters' names in Julia."""
    kinds: Names[str]
    """The kinds of all names in the body."""
    named: bool = False
    """Whether a parameter is a named tuple."""


_NUMBERS = {"Int", "Integer", "Int64", "Int32", "IntegerType", "Float32", "Float64", "Real", "Number", "AbstractFloat"}


_SIZES = re.compile(
    r"Dims(\{\d+\})?|NTuple\{\w+, *(<:)?Int(eger)?\}|Tuple\{Vararg\{Int(eger)?\}\}|(Abstract)?Vector\{(<:)?Int(eger)?\}"
)


def read_kind_of_type(julia: str) -> str:
    """Return the kind of values of a declared type, "" if it does not tell."""
    plain = julia.rpartition(".")[2] if "{" not in julia else julia
    if plain in _NUMBERS:
        return "number"
    if _SIZES.fullmatch(plain):
        return "sizes"
    return {"Bool": "flag", "Pair": "pair", "String": "text"}.get(plain.partition("{")[0], "")


_KEPT_KINDS = ("device", "flag", "function", "initializer", "number", "sizes")
"""Kinds of a default that an argument in its place has, too."""


def write_parameters(
    here: Scope, parameters: list[Node], default: str, with_fields: Set[str] = frozenset()
) -> Parameters:
    """Translate parameters; those that do not tell their kind get the default one.

    Parameters in `with_fields` whose fields are read are named tuples of arrays.
    """
    listed: list[str] = []
    named = False
    opening: list[str] = []
    first, after, opened = "", False, 0
    every = list_names(parameters)
    for node in parameters:
        if node.type == ";":
            after = True
            several = any(entry.startswith("*") for entry in listed)
            if not several and not (node == parameters[-2] and parameters[-1].type == "splat_expression"):
                listed.append("*")
            continue
        if node.type == "splat_expression":
            inner = node.named_children[0]
            inner = inner.named_children[0] if inner.type == "typed_expression" else inner
            here = here.bind({read_text(inner): "keywords" if after else "several"})
            first = first or ("" if after else here.spell(read_text(inner)))
            listed.append(f"{'**' if after else '*'}{here.spell(read_text(inner))}")
            continue
        value, made, kind = None, None, default
        if node.type in ("named_argument", "named_field", "assignment"):
            default_node = node.named_children[-1]
            lines, holes = here.piece.mark()
            value = here.write(default_node)
            # Python would raise at the definition, even if the function is never called.
            if len(here.piece.holes) > holes:
                if not after and any("=" in entry for entry in listed):
                    raise Unported("a default that is not ported")
                del here.piece.lines[lines:]
                value = None
            elif _is_evaluated_in_each_call(here, default_node, value, every):
                made = value
            if value is not None:
                kind = value.kind if value.kind in _KEPT_KINDS else default
            node = node.named_children[0]
        if node.type == "typed_expression" and len(node.named_children) == 2:
            kind = read_kind_of_type(read_text(node.named_children[1])) or kind
            if default == "array" and read_text(node.named_children[1]).startswith("NamedTuple"):
                kind = "inputs"
            node = node.named_children[0]
        elif kind == "array" and read_text(node) in with_fields:
            kind = "inputs"
        named = named or kind == "inputs"
        if is_named_tuple(node):
            name = f"inputs_{len(listed)}" if listed else "inputs"
            keys = read_fields_of_names(node)
            opening += [f"{here.spell(key)} = {name}[{key!r}]" for key in keys]
            here, named, first = here.bind(dict.fromkeys(keys, "array")), True, first or name
        elif node.type in ("tuple_expression", "open_tuple"):
            name = f"inputs_{len(listed)}" if listed else "inputs"
            opening.append(f"{here.write_target(node)} = {name}")
            here = here.bind(dict.fromkeys(find_names(node), "number" if kind in ("pair", "sizes") else kind))
            first = first or here.spell(read_text(node.named_children[0]))
        elif node.type == "identifier":
            name = here.spell(read_text(node))
            here = here.bind({read_text(node): kind})
            first = first or name
        elif read_text(node) in ("::Nothing", "::Bool", "::Int", "::Function"):
            name = f"unused_{len(listed) + 1}"
        else:
            raise Unported(f"the parameter {read_text(node)}")
        if made is not None:
            value = Code("...")
            opening.insert(opened, f"{name} = {made.text} if {name} is ... else {name}")
            opened += 1
        listed.append(f"{name}={value.text}" if value else name)
    return Parameters(listed, first, opening, every, here.kinds, named)


def find_taken_by_field(body: list[Node]) -> set[str]:
    """Return the variables whose fields a function reads, as of named tuples: ``x.left`` or ``(; left) = x``."""
    nodes = [node for top in body for node in walk_nodes(top)]
    called = {node.named_children[0] for node in nodes if node.type == "call_expression"}
    fields = [node.named_children[0] for node in nodes if node.type == "field_expression" and node not in called]
    apart = [node for node in nodes if node.type == "assignment" and is_named_tuple(node.named_children[0])]
    fields += [node.named_children[-1] for node in apart]
    return {read_text(node) for node in fields if node.type == "identifier"}


def _is_evaluated_in_each_call(here: Scope, node: Node, value: Code, parameters: set[str]) -> bool:
    """Return whether a default must be evaluated in each call: it is mutable, or uses variables."""
    if value.text.startswith(("[", "{")):
        return True
    return any(name in here.kinds or name in here.source.structs or name in parameters for name in find_names(node))
