"""Translate calls of functions of Julia and its packages, with a dot or without."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from luxport.porting.translate.containers import write_connection
from luxport.porting.translate.functions import ARRAYS, call_on_elements
from luxport.porting.translate.numbers import build_if_else, call_on_numbers, make_rounding
from luxport.porting.translate.parse import (
    Arguments,
    Unported,
    find_names,
    list_parts,
    read_arguments,
    read_last_name,
    read_text,
)
from luxport.porting.translate.scope import Scope, rewrite, write_device
from luxport.porting.translate.sequences import SEQUENCES
from luxport.porting.translate.tables import ACTIVATIONS, DEVICE_MAKERS, ELEMENTWISE
from luxport.porting.translate.training import TRAINING
from luxport.porting.translate.writing import Code, call, group, write_operand

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["write_broadcast", "call_package_function", "write_keywords", "write_value"]


def write_keywords(here: Scope, given: Arguments) -> list[Code]:
    """Return the unpacked keywords that a function received and passes on."""
    if given.block is not None:
        raise Unported("a do block")
    names = [splat.named_children[0] if splat.type == "splat_expression" else splat for splat in given.splats]
    if any(here.kinds.get(read_text(name)) != "keywords" for name in names):
        raise Unported("keywords in a variable")
    return [Code(f"**{here.spell(read_text(name))}") for name in names]


def write_value(here: Scope, node: Node) -> Code:
    """Translate the value of a struct's field: a layer, a drawn array, or a constant."""
    name = read_last_name(node)
    if name == "identity" and name not in here.kinds:
        return Code("luxport.identity", "function")
    if node.type == "operator":
        return write_connection(here, node, two=False)
    if node.type in ("vector_expression", "tuple_expression") and any(
        part.type not in _LITERALS for part in list_parts(node)
    ):
        return here.write_layer(node)
    return here.write(node)


_LITERALS = ("integer_literal", "float_literal", "boolean_literal", "string_literal", "unary_expression")


def call_package_function(here: Scope, node: Node, name: str, given: Arguments) -> Code | None:
    """Translate a call of a function of Flux, Lux or Julia; return None for an unknown one."""
    count = len(given.positional)
    if name in ("Float32", "Float64") and count == 1:
        number = here.write(given.positional[0])
        # A literal has the dtype of the array that it is computed with.
        return number if number.kind == "number" else None
    if name in ("first", "last") and count == 1:
        return here.call_helper("get_item", [here.write(given.positional[0]), Code("0" if name == "first" else "-1")])
    if name == "Dict":
        return _write_table(here, given)
    if name in ("get", "haskey") and count == 3 - (name == "haskey"):
        return _write_lookup(here, name, given)
    if any(here.kinds.get(read_text(value)) == "table" for value in given.positional):
        raise Unported(f"{name} of a Dict, whose entries are pairs in Julia")
    if name == "apply" and count == 4:
        callee, *values = [here.write(value) for value in given.positional]
        return call(callee.text, values, None, "unknown")
    if name in _MOVERS and count == 1:
        return here.write_layer(given.positional[0])
    if name == "BroadcastFunction" and count == 1:
        return here.write_activation(given.positional[0])
    if name in ("Fix1", "Fix2") and count == 2:
        return _write_fixed(here, node, name, given)
    if name in _RANDOM and here.mode in ("array", "build"):
        return Code("None", "rng")
    if name == "SamePad" and not count:
        return call("luxport.SamePad", [], None, "padding")
    if name in DEVICE_MAKERS:
        return write_device(here)
    if name == "ifelse" and here.mode == "build" and node.type == "call_expression":
        return build_if_else(here, given)
    if name in ("merge", "NamedTuple"):
        return _write_merge(here, name, given)
    for table in (SEQUENCES, here.source.table.layers, _ROUNDED if count == 2 else {}, ARRAYS, TRAINING):
        if name in table:
            return table[name](here, given)
    return _write_elementwise(here, node, name, given) if name in ACTIVATIONS or name in ELEMENTWISE else None


def _write_table(here: Scope, given: Arguments) -> Code:
    """Translate ``Dict("relu" => relu, :wide => 64)``; symbols become strings."""
    given.expect_keywords()
    entries, kinds = [], set()
    for pair in given.positional:
        sides = pair.named_children
        if pair.type != "binary_expression" or read_text(sides[1]) != "=>" or sides[0].type not in _KEYS:
            raise Unported("a Dict whose entries are not pairs with literal keys")
        key, value = here.write(sides[0]), write_value(here, sides[2])
        kinds.add(sides[0].type)
        entries.append(Code(f"{key.text}: {value.text}"))
    if len(kinds) > 1:
        raise Unported("a Dict of keys of several kinds")
    return group("{", entries, "}", "table")


_KEYS = ("string_literal", "quote_expression", "integer_literal")


def _write_lookup(here: Scope, name: str, given: Arguments) -> Code:
    """Translate ``haskey(d, key)`` and ``get(d, key, default)``."""
    given.expect_keywords()
    table, key, *default = [here.write(value) for value in given.positional]
    if table.kind != "table":
        raise Unported(f"{name} of a value that may not be a Dict")
    there = f"{write_operand(key)} in {write_operand(table)}"
    if not default:
        return Code(there, "flag", True)
    return Code(f"{write_operand(table)}[{key.text}] if {there} else {write_operand(default[0])}", "unknown", True)


def _write_fixed(here: Scope, node: Node, name: str, given: Arguments) -> Code:
    """Translate ``Base.Fix1(f, x)`` and ``Base.Fix2(f, x)``."""
    if "x" in find_names(node):
        raise Unported("a function of something named x")
    function, fixed = [read_text(value) for value in given.positional]
    left, right = (fixed, "x") if name == "Fix1" else ("x", fixed)
    if function in _OPERATORS:
        if not re.fullmatch(r"-?[\d.]+(f-?\d+)?", fixed):
            raise Unported("an operator whose fixed operand is not a literal number")
        return rewrite(here, node, f"x -> {left} .{function} {right}")
    function = f"({function})" if "->" in function else function
    return rewrite(here, node, f"x -> {function}({left}, {right})")


def _write_merge(here: Scope, name: str, given: Arguments) -> Code:
    given.expect_keywords()
    values = [here.write(value) for value in given.positional]
    if any(value.kind != "tree" for value in values) or (name == "NamedTuple" and values) or here.mode == "build":
        raise Unported(f"{name} of something that is not a named tuple")
    return group("{", [Code(f"**{write_operand(value)}") for value in values], "}", "tree")


def _write_elementwise(here: Scope, node: Node, name: str, given: Arguments) -> Code:
    """Translate a call of an elementwise function, broadcast or on a single element."""
    dotted = node.type == "broadcast_call_expression"
    given.expect_keywords()
    values = [here.write(value) for value in given.positional]
    if name in ELEMENTWISE:
        if not dotted and here.mode in ("array", "build"):
            numbers = call_on_numbers(here, name, values)
            if numbers is not None:
                return numbers
        elements = call_on_elements(here, name, values)
        if not dotted and here.mode != "scalar":
            raise Unported(f"{name} without a dot is not a function of arrays")
        return elements
    options = {}
    if name in _PARAMETER_NAMES and len(values) == 2:
        options = {_PARAMETER_NAMES[name]: values.pop()}
    if len(values) != 1:
        raise Unported("more than one argument")
    return call(ACTIVATIONS[name], values, options, "array")


def write_broadcast(here: Scope, node: Node) -> Code:
    """Translate a call with a dot.

    Raises: Unported for an unknown function
    """
    function = node.named_children[0]
    name = read_last_name(function)
    given = read_arguments(node)
    own = function.type == "identifier" and name in here.kinds
    if not name:
        callee = here.write(function)
        if callee.kind not in ("bound", "part", "function"):
            raise Unported("what is broadcast is not known here")
        given.expect_keywords()
        return call(callee.text, [here.write(value) for value in given.positional], None, "array")
    if not own and (name in ACTIVATIONS or name in ELEMENTWISE):
        return _write_elementwise(here, node, name, given)
    if not own and name in ("Float32", "Float64"):
        return here.call_xp("astype", [here.write(given.positional[0]), Code(f"xp.{name.lower()}")])
    if own and here.kinds[name] in ("function", "unknown", "bound"):
        given.expect_keywords()
        return call(here.spell(name), [here.write(value) for value in given.positional], None, "array")
    raise Unported(f"{name or 'what is broadcast'} is not known here")


_ROUNDED = {"ceil": make_rounding("math.ceil"), "floor": make_rounding("math.floor"), "round": make_rounding("round")}


_ROUNDED |= {"trunc": make_rounding("int")}


_OPERATORS = ("+", "-", "*", "/", "^")


_RANDOM = {"default_rng", "MersenneTwister", "StableRNG", "TaskLocalRNG", "Xoshiro"}


_MOVERS = {"cpu", "f32", "gpu"}
"""Functions that return the same model, on another device or with another dtype."""


_PARAMETER_NAMES = {"leakyrelu": "a", "elu": "alpha", "celu": "alpha"}
