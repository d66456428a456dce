"""Translate calls: of constructors, of fields of structs, of the file's own functions, and of packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luxport.porting.translate.constructors import find_constructor
from luxport.porting.translate.drawn_arrays import write_drawn_array
from luxport.porting.translate.indices import build_undefined
from luxport.porting.translate.methods import choose_method
from luxport.porting.translate.operators import write_operator_call
from luxport.porting.translate.options import read_initializer_call
from luxport.porting.translate.package_calls import call_package_function, write_keywords, write_value
from luxport.porting.translate.parse import (
    Arguments,
    Unported,
    read_arguments,
    read_last_name,
    read_text,
    write_one_line,
)
from luxport.porting.translate.scope import Scope, find_parametric_struct
from luxport.porting.translate.structs import Struct, is_new
from luxport.porting.translate.writing import Code, call, group, name_field, name_in_python, write_operand

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["write_call"]


def _call_part(here: Scope, callee: Code, given: Arguments) -> Code:
    """Translate a call of a struct's field: a function or a layer, which in Lux takes parameters and states, too."""
    if callee.kind == "bound" and "mask" in given.named and 1 <= len(given.positional) <= 3 and here.mode == "array":
        given.expect_keywords("mask")
        return here.call_helper("call_attention", [callee, *map(here.write, [given.named["mask"], *given.positional])])
    given.expect_keywords()
    if callee.kind == "bound" and len(given.positional) == 1 and given.positional[0].type == "range_expression":
        counted = here.write(given.positional[0])
        here.piece.uses_xp = True
        return here.call_helper("call_at_places", [callee, counted, Code("xp")])
    values = [here.write(value) for value in given.positional]
    splat = any(value.text.startswith("*") for value in values)
    if splat and callee.kind != "bound":
        raise Unported("a splat in the call of a layer")
    if callee.kind == "bound" and (splat or len(values) > 1):
        return here.call_helper("call_part", [callee, *values])
    return call(callee.text, values, None, "array" if callee.kind == "bound" else "unknown")


def _call_constructor(here: Scope, struct: Struct, given: Arguments) -> Code:
    values = [write_value(here, value) for value in given.positional]
    name = find_constructor(struct, given, [value.kind for value in values])
    if name == struct.chooser:
        here.output.choosers.add(name)
        here.output.helpers |= {"can_take", "is_kind"}
    spelled = name_field if name == struct.python else name_in_python
    options = {spelled(key): write_value(here, value) for key, value in given.named.items()}
    if name == struct.python:
        values, named = _split_fields(struct, values)
        options |= named
    values += write_keywords(here, given)
    if here.kinds.get(struct.name) == "unported":
        raise Unported(f"{struct.name} was not ported")
    kind = "layer" if struct.is_layer else "record"
    return call(name, values, options, kind)


def _split_fields(struct: Struct, values: list[Code]) -> tuple[list[Code], dict[str, Code]]:
    """Return field values as positional or keyword arguments of the Python constructor."""
    if not struct.by_keyword:
        return values, {}
    return [], dict(zip(map(name_field, struct.fields), values, strict=False))


def write_call(here: Scope, node: Node) -> Code:
    """Translate a call.

    Raises: Unported for an unknown function
    """
    function = node.named_children[0]
    if read_text(function).startswith(("WrappedFunction{", "Lux.WrappedFunction{")):
        function = function.named_children[0]
    if function.type == "operator":
        return write_operator_call(here, node)
    if function.type == "parametrized_type_expression" and read_text(function).startswith("Dict{"):
        function = function.named_children[0]
    name = read_last_name(function)
    given = read_arguments(node)
    if here.mode == "build" and (read_text(function) == "Vector" or read_text(function).startswith("Vector{")):
        return build_undefined(here, read_text(function), given)
    if function.type in ("call_expression", "parenthesized_expression") and not given.named:
        inner = here.write(function)
        if inner.kind not in ("function", "bound"):
            raise Unported("a call of something that is not a function")
        given.expect_keywords()
        return call(write_operand(inner), [here.write(value) for value in given.positional], None, "array")
    if function.type in ("index_expression", "field_expression") and not name:
        callee = here.write(function)
        if callee.kind in ("bound", "part"):
            return _call_part(here, callee, given)
    if is_new(function):
        return _build_new(here, given)
    if (struct := find_parametric_struct(here, function)) is not None and here.kinds.get(struct.name) == "builder":
        return _build_of_all_fields(here, struct, given)
    own = function.type == "identifier" and name in here.kinds
    if name in here.source.structs and function.type == "identifier" and here.kinds.get(name) not in ("bound", "array"):
        return _call_constructor(here, here.source.structs[name], given)
    if here.mode == "build" and (not own or here.kinds[name] == "initializer"):
        if name not in ("ones", "zeros", "rand", "randn") and (made := read_initializer_call(here, node)) is not None:
            return made.with_kind("initializer")
        drawn = write_drawn_array(here, node)
        if drawn is not None:
            return drawn
    if own:
        return _call_own_function(here, function, name, given)
    found = call_package_function(here, node, name, given)
    if found is None:
        raise Unported(f"{name or write_one_line(function, 40)} is not known here")
    return found


def _build_new(here: Scope, given: Arguments) -> Code:
    """Translate ``new(...)`` in a constructor."""
    if here.constructed is None:
        raise Unported("new outside of a constructor")
    values = [write_value(here, value) for value in given.positional]
    given.expect_keywords()
    if len(values) != len(here.constructed.fields) or any(value.text.startswith("*") for value in values):
        raise Unported("new without a value for each field")
    return call(here.constructed.python, *_split_fields(here.constructed, values), "layer")


def _build_of_all_fields(here: Scope, struct: Struct, given: Arguments) -> Code:
    """Translate ``Net{typeof(a), typeof(b)}(a, b)``, the default constructor with explicit type parameters."""
    values = [write_value(here, value) for value in given.positional]
    given.expect_keywords()
    if struct.inner or len(values) != len(struct.fields) or any(value.text.startswith("*") for value in values):
        raise Unported("a constructor for types that are given")
    return call(struct.python, *_split_fields(struct, values), "layer")


def _call_own_function(here: Scope, function: Node, name: str, given: Arguments) -> Code:
    """Translate a call of a function or a variable of the file."""
    kind = here.kinds[name]
    if kind == "initializer":
        raise Unported("a random array where there is no generator")
    if kind == "unported":
        raise Unported(f"{name} was not ported")
    if kind == "layer":
        raise Unported(f"{name} is a layer, which needs its parameters: see luxport.compact")
    if kind == "bound":
        return _call_part(here, here.write(function), given)
    if kind == "again":  # the layer itself, called recursively; its inputs are one tuple
        given.expect_keywords()
        values = [here.write(value) for value in given.positional]
        return call(here.spell(name), values if len(values) == 1 else [group("(", values, ")")], None, "array")
    if kind == "device" and len(given.positional) == 1:
        return here.write_value(given.positional[0])
    options = {name_in_python(key): here.write(value) for key, value in given.named.items()}
    values = [here.write(value) for value in given.positional] + write_keywords(here, given)
    python = choose_method(name, here.source.several[name], given) if name in here.source.several else here.spell(name)
    made = "array" if here.mode == "scalar" else "unknown"
    return call(python, values, options, "layer" if kind == "builder" else made)
