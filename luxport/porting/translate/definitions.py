"""Translate Julia's function definitions, anonymous functions, and layers made by `@compact`."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.porting.translate.drawn_arrays import write_drawn_array, write_scaled_initializer
from luxport.porting.translate.functions import call_on_elements
from luxport.porting.translate.output import Piece
from luxport.porting.translate.parameters import Parameters, list_names, write_parameters
from luxport.porting.translate.parse import (
    Unported,
    find_head,
    find_names,
    read_arguments,
    read_last_name,
    write_one_line,
)
from luxport.porting.translate.scope import Scope, can_make_layers
from luxport.porting.translate.writing import Code, group, name_field, write_named, write_remark

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["define", "find_signature", "split_definition"]


def find_signature(node: Node) -> Node | None:
    """Return the call in the head of a definition of a named function, None for any other node."""
    head = find_head(node)
    return head if head is not None and head.named_children[0].type == "identifier" else None


def split_definition(node: Node) -> tuple[list[Node], list[Node]]:
    """Return the parameters and the statements of a function, in any of Julia's notations."""
    if node.type in ("function_definition", "assignment"):
        head = find_head(node)
        assert head is not None
        listed = [child for child in head.named_children if child.type == "argument_list"]
        parameters = listed[0].children if listed else []
        body = node.named_children[1:] if node.type == "function_definition" else node.named_children[-1:]
    elif node.type == "arrow_function_expression":
        first, *body = node.named_children
        parameters = first.children if first.type in ("argument_list", "tuple_expression") else [first]
    else:  # a do block
        parameters, body = [], node.named_children
        if body and body[0].type == "argument_list":
            parameters, body = body[0].named_children, body[1:]
    if len(body) == 1 and body[0].type == "compound_statement":
        body = body[0].named_children
    return [p for p in parameters if (p.is_named or p.type == ";") and not p.type.endswith("_comment")], body


def define(here: Scope, node: Node, *, mode: str, name: str = "") -> Code:
    """Write a function above the current statement, and return its name, with the kind of what it returns.

    Raises: Unported if the function cannot be translated
    """
    if mode == "compact":
        return _write_compact(here, node, name)
    if node.type in ("identifier", "field_expression"):
        value = call_on_elements(
            replace(here, mode="scalar", piece=Piece()), read_last_name(node), [Code("x", "array")]
        )
        chosen = name or here.output.make_name(read_last_name(node))
        for line in (f"def {chosen}(x):", "    xp = luxport.namespace(x)", f"    return {value.text}"):
            here.add_line(line)
        return Code(chosen, "function")
    _check_loop_variables(here, node)
    parameters, body = split_definition(node)
    drawing = write_scaled_initializer(
        here, parameters, [child for child in body if not child.type.endswith("_comment")]
    )
    if drawing is not None:
        chosen = name or here.output.make_name("initializer")
        here.add_line(f"{chosen} = {drawing.text}")
        return Code(chosen, "initializer")
    arrow, builds = node.type == "arrow_function_expression", can_make_layers(here, node)
    if arrow and builds:
        mode = "build"
    chosen = name or here.output.make_name("function")
    if arrow:
        here.add_line(write_remark(write_one_line(node)))
    anonymous = arrow or not name
    of_arrays = (anonymous and mode != "build") or mode == "scalar"
    given = write_parameters(here, parameters, "array" if of_arrays else "unknown")
    if mode == "scalar" and parameters:  # an element is an array here, also if its declared type is a number
        given = replace(given, kinds=given.kinds.with_values(dict.fromkeys(list_names(parameters[:1]), "array")))
    write_body(here, f"def {chosen}({', '.join(given.listed)}):", body, mode, given)
    return Code(chosen, "builder" if builds else "function")


def _check_loop_variables(here: Scope, node: Node) -> None:
    """Raise Unported for a function that uses variables of an enclosing loop: Python's would change with the loop."""
    if find_names(node) & here.loop_variables:
        raise Unported("a function that uses a variable of the loop around it")


def write_body(here: Scope, head: str, body: list[Node], mode: str, given: Parameters) -> None:
    """Write a function with this head and body."""
    piece, depth = Piece(opening=len(given.opening)), here.depth + 1
    depths = here.depths.with_values(dict.fromkeys(given.names, depth))
    inside = here.open_block(piece=piece, mode=mode, kinds=given.kinds, depth=depth, depths=depths)
    for line in given.opening:
        inside.add_line(line)
    here.source.table.block(inside, body, returns=True)
    if piece.uses_xp:
        if not given.first:
            raise Unported("an operation on arrays in a function without an array parameter")
        start = len(given.opening)
        if any(re.search(r"\bxp\b", line) for line in piece.lines):
            space = _write_namespace(inside, head, given, piece.lines[start:])
            piece.lines.insert(start, f"{' ' * inside.indent}xp = {space}")
    if not any(line.strip() and not line.lstrip().startswith("#") for line in piece.lines):
        inside.add_line("return None")
    here.add_line(head)
    here.piece.add(piece)


def _write_namespace(here: Scope, head: str, parameters: Parameters, written: list[str]) -> str:
    """Return the expression for ``xp``: the namespace of the only parameter, or of all that may be arrays."""
    given = ast.parse(head + " pass").body[0]
    assert isinstance(given, ast.FunctionDef)
    names = [one.arg for one in given.args.args if one.arg != "self"]
    if given.args.vararg is not None:
        return here.call_helper("find_namespace", map(Code, [*names, f"*{given.args.vararg.arg}"])).text
    taken_apart = any(line.endswith(f" = {name}") for line in written for name in names)
    one = len(names) == 1 and not taken_apart and not parameters.named
    if one or not names:
        return f"luxport.namespace({parameters.first})"
    return here.call_helper("find_namespace", map(Code, names)).text


def _write_compact(here: Scope, node: Node, name: str) -> Code:
    """Write a function with ``@luxport.compact`` for a layer made by Lux's ``@compact``, and return its name."""
    given = read_arguments(node)
    if given.block is None or given.splats:
        raise Unported("@compact with a splat of values, or without a do block")
    titles = [here.write(value) for key, value in given.named.items() if key == "name"]
    bindings = {key: value for key, value in given.named.items() if key != "name"}
    if given.positional or any(name_field(key) != key for key in bindings):
        raise Unported("values with names that Python does not allow")
    _check_loop_variables(here, given.block)
    values = {key: _write_binding(here, value) for key, value in bindings.items()}
    parameters, body = split_definition(given.block)
    if len(parameters) != 1:
        raise Unported("@compact of a function without exactly one argument")
    chosen = name or here.output.make_name("compact")
    written = write_parameters(here, parameters, "array")
    kinds = {key: {"layer": "bound", "layers": "bound"}.get(code.kind, code.kind) for key, code in values.items()}
    head = group("luxport.compact(", [*titles, *(write_named(key, code) for key, code in values.items())], ")")
    here.add_code("@", head)
    inner = f"def {chosen}({', '.join([*written.listed, *(['*'] if values else []), *values])}):"
    # Keyword arguments may have the names of Python's builtins.
    renamed = {**here.renamed, **{key: key for key in bindings}}
    written = replace(written, kinds=written.kinds.with_values(kinds))
    write_body(replace(here, renamed=renamed), inner, body, "array", written)
    return Code(chosen, "layer")


def _write_binding(here: Scope, node: Node) -> Code:
    """Translate a value of `@compact`; drawn arrays are only described, and `setup` draws them."""
    found = write_drawn_array(here, node)
    if found is not None:
        return found.with_kind("array")
    if node.type != "vector_expression" and can_make_layers(here, node):
        return here.write_layer(node)
    return here.write(node)
