"""`READERS`: the function that translates each kind of expression, and those for names, fields and literals."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.porting.translate.calls import write_call
from luxport.porting.translate.comparisons import choose_value
from luxport.porting.translate.indices import write_index
from luxport.porting.translate.operators import write_binary, write_unary
from luxport.porting.translate.package_calls import write_broadcast
from luxport.porting.translate.parse import (
    Unported,
    find_names,
    is_named_tuple,
    list_parts,
    read_last_name,
    read_named_entries,
    read_text,
)
from luxport.porting.translate.scope import Scope, write_device
from luxport.porting.translate.sequences import write_comprehension, write_span
from luxport.porting.translate.tables import ACTIVATIONS, INITIALIZERS
from luxport.porting.translate.writing import (
    Code,
    call,
    group,
    name_field,
    write_operand,
    write_remark,
    write_whole_number,
)

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["READERS"]


def _write_name(here: Scope, node: Node) -> Code:
    """Translate a variable of the file, or a name of Julia or its packages."""
    name = read_last_name(node)
    if not name:
        raise Unported("a field of a struct")
    if node.type == "identifier" and name in here.kinds:
        if here.kinds[name] == "unported":
            raise Unported(f"{name} was not ported")
        layer = here.kinds[name] == "layer" and here.source.dialect != "lux"
        if layer and here.piece.layers_used.setdefault(name, node.start_byte) != node.start_byte:
            raise Unported(f"{name} is used twice, and shares its parameters in Flux: see luxport.tie")
        if layer and here.mode == "build" and here.depths.get(name) == 0:
            first = here.output.layers_used.setdefault(name, node.start_byte)
            if first != node.start_byte:
                here.add_line(write_remark(f"{name} is in another model, too: in Flux, training one changes both"))
        return Code(here.spell(name), here.kinds[name])
    if name in _DEVICES:
        return write_device(here)
    if name in _CONSTANTS:
        return _CONSTANTS[name]
    if name in ACTIVATIONS:
        return Code(ACTIVATIONS[name], "function")
    if name in ("vcat", "hcat"):
        return here.name_helper(name)
    if name in _NORMS and here.mode == "build":
        return Code(f"luxport.{name}", "function")
    if name in INITIALIZERS and here.mode == "build":
        return here.name_initializer(name).with_kind("initializer")
    if name == "flatten":
        return call("luxport.FlattenLayer", [])
    raise Unported(f"{name} is not defined here")


def _write_field(here: Scope, node: Node) -> Code:
    if read_last_name(node):
        return _write_name(here, node)
    base, field = node.named_children
    if base.type == "identifier" and read_text(base) in here.fields:
        own = here.fields[read_text(base)]
        if read_text(field) not in own:
            raise Unported(f"{read_text(node)} is not a field")
        return own[read_text(field)]
    value = here.write(base)
    if value.kind in ("bound", "part") and read_text(field) in _LAYER_FIELDS:
        raise Unported("a field of a layer")
    if value.kind == "inputs":
        return Code(f"{write_operand(value)}[{read_text(field)!r}]", "array")
    if value.kind in ("bound", "tree"):
        return Code(f"{write_operand(value)}[{read_text(field)!r}]", value.kind)
    if read_text(field) in here.record_fields and value.kind in ("unknown", "record"):
        return Code(f"{write_operand(value)}.{name_field(read_text(field))}", here.record_fields[read_text(field)])
    raise Unported("a field of a struct")


def _write_adjoint(here: Scope, node: Node) -> Code:
    return here.call_helper("adjoint", [here.write(node.named_children[0])])


def _write_tuple(here: Scope, node: Node) -> Code:
    if is_named_tuple(node):
        entries = [Code(f"{key!r}: {here.write_value(value).text}") for key, value in read_named_entries(node).items()]
        return group("{", entries, "}", "layers" if here.mode == "build" else "tree")
    entries = [here.write(part) for part in list_parts(node)]
    numbers = all(entry.kind == "number" for entry in entries)
    return group("(", entries, ")", "sizes" if numbers else "unknown")


def _write_vector(here: Scope, node: Node) -> Code:
    entries = [here.write(part) for part in list_parts(node)]
    kinds = {entry.kind for entry in entries}
    return group("[", entries, "]", "sizes" if kinds == {"number"} else "layers")


def _write_operator(here: Scope, node: Node) -> Code:
    """Translate an operator that is passed as a function, if it is the same for numbers and arrays."""
    name = _AS_FUNCTIONS.get(read_text(node))
    if name is None:
        raise Unported("an operator as a function")
    return Code(name, "function")


_AS_FUNCTIONS = {"+": "operator.add", ".+": "operator.add", "-": "operator.sub", ".-": "operator.sub"}
_AS_FUNCTIONS |= {".*": "operator.mul"}


def _write_matrix(here: Scope, node: Node) -> Code:
    """Translate a vector of one entry on a line of its own, which the grammar parses as a matrix."""
    rows = [list_parts(row) for row in list_parts(node)]
    if len(rows) != 1 or len(rows[0]) != 1 or any(child.type == ";" for child in node.children):
        raise Unported("no counterpart of a matrix expression")
    (entry,) = rows[0]
    code = here.write_layer_or_number(entry) if here.mode == "build" else here.write(entry)
    return group("[", [code], "]", "sizes" if code.kind == "number" else "layers")


def _write_splat(here: Scope, node: Node) -> Code:
    code = here.write(node.named_children[0])
    opening = f"*{code.opening}" if code.opening else ""
    return replace(code, text=f"*{write_operand(code)}", compound=False, opening=opening)


def _write_parentheses(here: Scope, node: Node) -> Code:
    if any(child.type == "for_clause" for child in node.named_children):
        return write_comprehension(here, node)
    return here.write(node.named_children[0])


def _write_generator(here: Scope, node: Node) -> Code:
    """Translate a generator that is the only positional argument of a call: ``f(x) for x in xs``."""
    made = [child for child in node.named_children if not child.type.endswith("_comment")]
    if not any(child.type == "for_clause" for child in made[1:2]):
        raise Unported("a generator beside other arguments")
    return write_comprehension(here, node)


def _write_arrow(here: Scope, node: Node) -> Code:
    return here.define_function(node, "array").with_kind("function")


def _write_string(here: Scope, node: Node) -> Code:
    if any(child.type == "string_interpolation" for child in node.named_children):
        raise Unported("a string with interpolated values")
    return Code(repr("".join(read_text(child) for child in node.named_children)), "text")


def _write_symbol(here: Scope, node: Node) -> Code:
    if not re.fullmatch(r":[A-Za-z_]\w*", read_text(node)):
        raise Unported("quoted code")
    return Code(repr(read_text(node)[1:]), "text")


def _write_float(here: Scope, node: Node) -> Code:
    number = float(re.sub("f", "e", read_text(node).replace("_", "")))
    if not math.isfinite(number):
        raise Unported("a number beyond Float64")
    return Code(repr(number), "number")


def _write_integer(here: Scope, node: Node) -> Code:
    return Code(write_whole_number(read_text(node)), "number")


def _write_macro(here: Scope, node: Node) -> Code:
    if read_text(node).startswith(("@compact", "Lux.@compact")):
        return here.define_function(node, "compact")
    name = read_text(node).split(maxsplit=1)[0]
    inner = node.named_children[-1].named_children
    if name in ("@view", "@views", "@inbounds", "Zygote.@ignore") and len(inner) == 1:
        return here.write(inner[0])
    if name.startswith("@.") and len(inner) == 1 and here.mode in ("array", "scalar"):
        names = {name: "array" for name in find_names(inner[0]) if here.kinds.get(name) == "unknown"}
        return here.bind(names, mode="scalar").write(inner[0])  # ``@.`` puts a dot at every call and operator
    raise Unported("a macro")


_CONSTANTS = {
    "nothing": Code("None"),
    "pi": Code("math.pi", "number"),
    "π": Code("math.pi", "number"),
    "Inf": Code("math.inf", "number"),
    "Inf32": Code("math.inf", "number"),
}
_DEVICES = {"cpu", "gpu"}
_NORMS = ("BatchNorm", "GroupNorm", "InstanceNorm")
"""Layers whose constructors may be passed to functions, which call them with positional arguments."""
_LAYER_FIELDS = {"weight", "bias", "W", "b", "σ", "layers", "chain", "cell", "state", "scale", "diag"}
"""Fields of Flux's own layers, which luxport keeps elsewhere, such as weights in ps."""

READERS: Mapping[str, Callable[[Scope, Node], Code]] = {
    "arrow_function_expression": _write_arrow,
    "argument_list": _write_generator,
    "binary_expression": write_binary,
    "boolean_literal": lambda here, node: Code(read_text(node).capitalize(), "flag"),
    "broadcast_call_expression": write_broadcast,
    "call_expression": write_call,
    "adjoint_expression": _write_adjoint,
    "comprehension_expression": write_comprehension,
    "field_expression": _write_field,
    "float_literal": _write_float,
    "identifier": _write_name,
    "if_statement": choose_value,
    "matrix_expression": _write_matrix,
    "operator": _write_operator,
    "index_expression": write_index,
    "integer_literal": _write_integer,
    "juxtaposition_expression": write_binary,
    "macrocall_expression": _write_macro,
    "parenthesized_expression": _write_parentheses,
    "range_expression": write_span,
    "splat_expression": _write_splat,
    "string_literal": _write_string,
    "ternary_expression": choose_value,
    "open_tuple": _write_tuple,
    "quote_expression": _write_symbol,
    "tuple_expression": _write_tuple,
    "unary_expression": write_unary,
    "vector_expression": _write_vector,
}
"""The translating function for each kind of node."""
