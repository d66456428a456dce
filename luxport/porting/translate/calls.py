"""Calls: of layers' constructors, of structs and their parts, of functions of arrays, with a dot or without."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from luxport.porting.translate.containers import connection
from luxport.porting.translate.drawn import array_drawn
from luxport.porting.translate.functions import ARRAYS, of_elements
from luxport.porting.translate.methods import chosen_method
from luxport.porting.translate.numbers import if_else, of_numbers, rounded
from luxport.porting.translate.operators import operator_called
from luxport.porting.translate.options import initializer_called
from luxport.porting.translate.parse import (
    Arguments,
    Unported,
    arguments,
    last_name,
    names_in,
    one_line,
    parts,
    text,
)
from luxport.porting.translate.scope import Scope, device, rewritten, with_types
from luxport.porting.translate.sequences import SEQUENCES, undefined
from luxport.porting.translate.structs import Struct, constructor_of, is_new
from luxport.porting.translate.tables import ACTIVATIONS, DEVICE_MAKERS, ELEMENTWISE
from luxport.porting.translate.training import TRAINING
from luxport.porting.translate.writing import Code, call, field_name, group, operand, python_name

if TYPE_CHECKING:
    from tree_sitter import Node


__all__ = ["broadcast", "called"]


def _part_called(here: Scope, callee: Code, given: Arguments) -> Code:
    """A field of a struct, called: a layer, with its parameters and state in Lux, or a function."""
    if callee.kind == "bound" and "mask" in given.named and 1 <= len(given.positional) <= 3 and here.mode == "array":
        given.only("mask")
        return here.helper("masked", [callee, *map(here.code, [given.named["mask"], *given.positional])])
    given.only()
    if callee.kind == "bound" and len(given.positional) == 1 and given.positional[0].type == "range_expression":
        counted = here.code(given.positional[0])
        here.piece.uses_xp = True
        return here.helper("at_places", [callee, counted, Code("xp")])
    values = [here.code(value) for value in given.positional]
    splat = any(value.text.startswith("*") for value in values)
    if splat and callee.kind != "bound":
        raise Unported("a splat in the call of a layer")
    if callee.kind == "bound" and (splat or len(values) > 1):
        return here.helper("applied", [callee, *values])
    return call(callee.text, values, None, "array" if callee.kind == "bound" else "unknown")


def _construct(here: Scope, struct: Struct, given: Arguments) -> Code:
    values = [_value(here, value) for value in given.positional]
    name = constructor_of(struct, given, [value.kind for value in values])
    if name == struct.chooser:
        here.output.choosers.add(name)
        here.output.helpers |= {"fits", "is_a"}
    spelled = field_name if name == struct.python else python_name
    options = {spelled(key): _value(here, value) for key, value in given.named.items()}
    if name == struct.python:
        values, named = _fields(struct, values)
        options |= named
    values += _keywords(here, given)
    if here.kinds.get(struct.name) == "unported":
        raise Unported(f"{struct.name} was not ported")
    kind = "layer" if struct.is_layer else "record"
    return call(name, values, options, kind)


def _fields(struct: Struct, values: list[Code]) -> tuple[list[Code], dict[str, Code]]:
    """Return fields given by position as Python takes them: those of a struct with keywords by name alone."""
    if not struct.by_keyword:
        return values, {}
    return [], dict(zip(map(field_name, struct.fields), values, strict=False))


def _keywords(here: Scope, given: Arguments) -> list[Code]:
    """Keywords that a function was given and hands on."""
    if given.block is not None:
        raise Unported("a do block")
    names = [splat.named_children[0] if splat.type == "splat_expression" else splat for splat in given.splats]
    if any(here.kinds.get(text(name)) != "keywords" for name in names):
        raise Unported("keywords in a variable")
    return [Code(f"**{here.name(text(name))}") for name in names]


def _value(here: Scope, node: Node) -> Code:
    """What a struct holds: a layer, an array to be drawn, or a constant."""
    name = last_name(node)
    if name == "identity" and name not in here.kinds:
        return Code("luxport.identity", "function")
    if node.type == "operator":
        return connection(here, node, two=False)
    if node.type in ("vector_expression", "tuple_expression") and any(
        part.type not in _LITERALS for part in parts(node)
    ):
        return here.layer(node)
    return here.code(node)


_LITERALS = ("integer_literal", "float_literal", "boolean_literal", "string_literal", "unary_expression")


def called(here: Scope, node: Node) -> Code:
    """Return a call.

    Raises: Unported
    """
    function = node.named_children[0]
    if text(function).startswith(("WrappedFunction{", "Lux.WrappedFunction{")):
        function = function.named_children[0]
    if function.type == "operator":
        return operator_called(here, node)
    if function.type == "parametrized_type_expression" and text(function).startswith("Dict{"):
        function = function.named_children[0]
    name = last_name(function)
    given = arguments(node)
    if here.mode == "build" and (text(function) == "Vector" or text(function).startswith("Vector{")):
        return undefined(here, text(function), given)
    if function.type in ("call_expression", "parenthesized_expression") and not given.named:
        inner = here.code(function)
        if inner.kind not in ("function", "bound"):
            raise Unported("what is called is no function")
        given.only()
        return call(operand(inner), [here.code(value) for value in given.positional], None, "array")
    if function.type in ("index_expression", "field_expression") and not name:
        callee = here.code(function)
        if callee.kind in ("bound", "part"):
            return _part_called(here, callee, given)
    if is_new(function):
        return _new(here, given)
    if (struct := with_types(here, function)) is not None and here.kinds.get(struct.name) == "builder":
        return _of_all_fields(here, struct, given)
    own = function.type == "identifier" and name in here.kinds
    if name in here.source.structs and function.type == "identifier" and here.kinds.get(name) not in ("bound", "array"):
        return _construct(here, here.source.structs[name], given)
    if here.mode == "build" and (not own or here.kinds[name] == "initializer"):
        if name not in ("ones", "zeros", "rand", "randn") and (made := initializer_called(here, node)) is not None:
            return made.of_kind("initializer")
        drawn = array_drawn(here, node)
        if drawn is not None:
            return drawn
    if own:
        return _own(here, function, name, given)
    found = _of_packages(here, node, name, given)
    if found is None:
        raise Unported(f"{name or one_line(function, 40)} is not known here")
    return found


def _new(here: Scope, given: Arguments) -> Code:
    """``new(...)`` in a constructor."""
    if here.making is None:
        raise Unported("new outside of a constructor")
    values = [_value(here, value) for value in given.positional]
    given.only()
    if len(values) != len(here.making.fields) or any(value.text.startswith("*") for value in values):
        raise Unported("new with other than all fields")
    return call(here.making.python, *_fields(here.making, values), "layer")


def _of_all_fields(here: Scope, struct: Struct, given: Arguments) -> Code:
    """``Net{typeof(a), typeof(b)}(a, b)``, which no constructor of the file is."""
    values = [_value(here, value) for value in given.positional]
    given.only()
    if struct.inner or len(values) != len(struct.fields) or any(value.text.startswith("*") for value in values):
        raise Unported("a constructor for types that are given")
    return call(struct.python, *_fields(struct, values), "layer")


def _own(here: Scope, function: Node, name: str, given: Arguments) -> Code:
    """A call of what the file defines."""
    kind = here.kinds[name]
    if kind == "initializer":
        raise Unported("an array drawn in a place without a random state")
    if kind == "unported":
        raise Unported(f"{name} was not ported")
    if kind == "layer":
        raise Unported(f"{name} is a layer, which wants its parameters: see luxport.compact")
    if kind == "bound":
        return _part_called(here, here.code(function), given)
    if kind == "again":  # the layer that is being written, whose inputs are one tuple
        given.only()
        values = [here.code(value) for value in given.positional]
        return call(here.name(name), values if len(values) == 1 else [group("(", values, ")")], None, "array")
    if kind == "device" and len(given.positional) == 1:
        return here.value(given.positional[0])
    options = {python_name(key): here.code(value) for key, value in given.named.items()}
    values = [here.code(value) for value in given.positional] + _keywords(here, given)
    python = chosen_method(name, here.source.several[name], given) if name in here.source.several else here.name(name)
    made = "array" if here.mode == "scalar" else "unknown"
    return call(python, values, options, "layer" if kind == "builder" else made)


def _of_packages(here: Scope, node: Node, name: str, given: Arguments) -> Code | None:
    """A call of what Flux, Lux or Julia define; None for what is not known."""
    count = len(given.positional)
    if name in ("Float32", "Float64") and count == 1:
        number = here.code(given.positional[0])
        return number if number.kind == "number" else None  # it takes the dtype of the array beside it
    if name in ("first", "last") and count == 1:
        return here.helper("item", [here.code(given.positional[0]), Code("0" if name == "first" else "-1")])
    if name == "Dict":
        return _table(here, given)
    if name in ("get", "haskey") and count == 3 - (name == "haskey"):
        return _look_up(here, name, given)
    if any(here.kinds.get(text(value)) == "table" for value in given.positional):
        raise Unported(f"{name} of a Dict, whose entries Julia takes as pairs")
    if name == "apply" and count == 4:
        callee, *values = [here.code(value) for value in given.positional]
        return call(callee.text, values, None, "unknown")
    if name in _SAME and count == 1:
        return here.layer(given.positional[0])
    if name == "BroadcastFunction" and count == 1:
        return here.activation(given.positional[0])
    if name in ("Fix1", "Fix2") and count == 2:
        return _fixed(here, node, name, given)
    if name in _RANDOM and here.mode in ("array", "build"):
        return Code("None", "rng")
    if name == "SamePad" and not count:
        return call("luxport.SamePad", [], None, "padding")
    if name in DEVICE_MAKERS:
        return device(here)
    if name == "ifelse" and here.mode == "build" and node.type == "call_expression":
        return if_else(here, given)
    if name in ("merge", "NamedTuple"):
        return _merge(here, name, given)
    for table in (SEQUENCES, here.source.table.layers, _ROUNDED if count == 2 else {}, ARRAYS, TRAINING):
        if name in table:
            return table[name](here, given)
    return _apply(here, node, name, given) if name in ACTIVATIONS or name in ELEMENTWISE else None


def _table(here: Scope, given: Arguments) -> Code:
    """``Dict("relu" => relu, :wide => 64)``: symbols are texts here."""
    given.only()
    entries, kinds = [], set()
    for pair in given.positional:
        sides = pair.named_children
        if pair.type != "binary_expression" or text(sides[1]) != "=>" or sides[0].type not in _KEYS:
            raise Unported("a Dict of other than pairs whose keys are in place")
        key, value = here.code(sides[0]), _value(here, sides[2])
        kinds.add(sides[0].type)
        entries.append(Code(f"{key.text}: {value.text}"))
    if len(kinds) > 1:
        raise Unported("a Dict of keys of several kinds")
    return group("{", entries, "}", "table")


_KEYS = ("string_literal", "quote_expression", "integer_literal")


def _look_up(here: Scope, name: str, given: Arguments) -> Code:
    """``haskey(d, key)`` and ``get(d, key, default)``."""
    given.only()
    table, key, *default = [here.code(value) for value in given.positional]
    if table.kind != "table":
        raise Unported(f"{name} of what may be no Dict")
    there = f"{operand(key)} in {operand(table)}"
    if not default:
        return Code(there, "flag", True)
    return Code(f"{operand(table)}[{key.text}] if {there} else {operand(default[0])}", "unknown", True)


def _fixed(here: Scope, node: Node, name: str, given: Arguments) -> Code:
    """``Base.Fix1(f, x)`` and ``Base.Fix2(f, x)``."""
    if "x" in names_in(node):
        raise Unported("a function of something named x")
    function, fixed = [text(value) for value in given.positional]
    left, right = (fixed, "x") if name == "Fix1" else ("x", fixed)
    if function in _OPERATORS:
        if not re.fullmatch(r"-?[\d.]+(f-?\d+)?", fixed):
            raise Unported("an operator with something fixed that is no number in place")
        return rewritten(here, node, f"x -> {left} .{function} {right}")
    function = f"({function})" if "->" in function else function
    return rewritten(here, node, f"x -> {function}({left}, {right})")


def _merge(here: Scope, name: str, given: Arguments) -> Code:
    given.only()
    values = [here.code(value) for value in given.positional]
    if any(value.kind != "tree" for value in values) or (name == "NamedTuple" and values) or here.mode == "build":
        raise Unported(f"{name} of something that is no named tuple")
    return group("{", [Code(f"**{operand(value)}") for value in values], "}", "tree")


def _apply(here: Scope, node: Node, name: str, given: Arguments) -> Code:
    """A function of each element, called on an element or broadcast."""
    dotted = node.type == "broadcast_call_expression"
    given.only()
    values = [here.code(value) for value in given.positional]
    if name in ELEMENTWISE:
        if not dotted and here.mode in ("array", "build"):
            numbers = of_numbers(here, name, values)
            if numbers is not None:
                return numbers
        elements = of_elements(here, name, values)
        if not dotted and here.mode != "scalar":
            raise Unported(f"{name} without a dot is no function of arrays")
        return elements
    options = {}
    if name in _PARAMETERS and len(values) == 2:
        options = {_PARAMETERS[name]: values.pop()}
    if len(values) != 1:
        raise Unported("more arguments than one")
    return call(ACTIVATIONS[name], values, options, "array")


def broadcast(here: Scope, node: Node) -> Code:
    """Return a call with a dot.

    Raises: Unported
    """
    function = node.named_children[0]
    name = last_name(function)
    given = arguments(node)
    own = function.type == "identifier" and name in here.kinds
    if not name:
        callee = here.code(function)
        if callee.kind not in ("bound", "part", "function"):
            raise Unported("what is broadcast is not known here")
        given.only()
        return call(callee.text, [here.code(value) for value in given.positional], None, "array")
    if not own and (name in ACTIVATIONS or name in ELEMENTWISE):
        return _apply(here, node, name, given)
    if not own and name in ("Float32", "Float64"):
        return here.xp("astype", [here.code(given.positional[0]), Code(f"xp.{name.lower()}")])
    if own and here.kinds[name] in ("function", "unknown", "bound"):
        given.only()
        return call(here.name(name), [here.code(value) for value in given.positional], None, "array")
    raise Unported(f"{name or 'what is broadcast'} is not known here")


_ROUNDED = {"ceil": rounded("math.ceil"), "floor": rounded("math.floor"), "round": rounded("round")}
_ROUNDED |= {"trunc": rounded("int")}
_OPERATORS = ("+", "-", "*", "/", "^")
_RANDOM = {"default_rng", "MersenneTwister", "StableRNG", "TaskLocalRNG", "Xoshiro"}
_SAME = {"cpu", "f32", "gpu"}
"""Functions that leave a model what it is."""
_PARAMETERS = {"leakyrelu": "a", "elu": "alpha", "celu": "alpha"}
