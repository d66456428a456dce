"""Julia's functions as Python's: named, short and anonymous ones, and what `@compact` makes layers from."""

from __future__ import annotations

import ast
import re
from collections.abc import Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from luxport.porting.translate.drawn import array_drawn, scaled_initializer
from luxport.porting.translate.functions import of_elements
from luxport.porting.translate.names import Names
from luxport.porting.translate.output import Piece
from luxport.porting.translate.parse import (
    Unported,
    arguments,
    every_node,
    fields_of_names,
    head_of,
    is_named_tuple,
    last_name,
    names_in,
    one_line,
    text,
)
from luxport.porting.translate.scope import Scope, makes_layers
from luxport.porting.translate.writing import Code, field_name, group, named, remark

if TYPE_CHECKING:
    from tree_sitter import Node


__all__ = ["Parameters", "define", "kind_of_type", "parameters_and_body", "signature"]
__all__ += ["taken_by_field", "write_body", "written_parameters"]


def signature(node: Node) -> Node | None:
    """Return the call that a function's head is, None if the node defines no function by a name."""
    head = head_of(node)
    return head if head is not None and head.named_children[0].type == "identifier" else None


def parameters_and_body(node: Node) -> tuple[list[Node], list[Node]]:
    """Return the parameters and the statements of a function, however it is written."""
    if node.type in ("function_definition", "assignment"):
        head = head_of(node)
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
    """Write a function above the statement that is being written, and return its name, of the kind that it is.

    Raises: Unported
    """
    if mode == "compact":
        return _compact(here, node, name)
    if node.type in ("identifier", "field_expression"):
        value = of_elements(replace(here, mode="scalar", piece=Piece()), last_name(node), [Code("x", "array")])
        chosen = name or here.output.new_name(last_name(node))
        for line in (f"def {chosen}(x):", "    xp = luxport.namespace(x)", f"    return {value.text}"):
            here.put(line)
        return Code(chosen, "function")
    _check_lasting(here, node)
    parameters, body = parameters_and_body(node)
    drawing = scaled_initializer(here, parameters, [child for child in body if not child.type.endswith("_comment")])
    if drawing is not None:
        chosen = name or here.output.new_name("initializer")
        here.put(f"{chosen} = {drawing.text}")
        return Code(chosen, "initializer")
    arrow, builds = node.type == "arrow_function_expression", makes_layers(here, node)
    if arrow and builds:
        mode = "build"
    chosen = name or here.output.new_name("function")
    if arrow:
        here.put(remark(one_line(node)))
    anonymous = arrow or not name
    of_arrays = (anonymous and mode != "build") or mode == "scalar"
    given = written_parameters(here, parameters, "array" if of_arrays else "unknown")
    if mode == "scalar" and parameters:  # also where its type says that it is a number
        given = replace(given, kinds=given.kinds.adding(dict.fromkeys(_names_of(parameters[:1]), "array")))
    write_body(here, f"def {chosen}({', '.join(given.listed)}):", body, mode, given)
    return Code(chosen, "builder" if builds else "function")


def _check_lasting(here: Scope, node: Node) -> None:
    if names_in(node) & here.fleeting:
        raise Unported("a function that uses a variable of the loop around it")


def _names_of(parameters: list[Node]) -> set[str]:
    """Return the names that parameters give what a function is called with."""
    found: set[str] = set()
    for node in parameters:
        for around in (("named_argument", "named_field", "assignment"), ("splat_expression",), ("typed_expression",)):
            node = node.named_children[0] if node.type in around else node
        found |= names_in(node)
    return found


@dataclass(frozen=True)
class Parameters:
    """The parameters of a function in Python: what stands in its head, and lines that its body begins with."""

    listed: list[str]
    first: str
    """The name of the first one that may be an array, nothing if there is none."""
    opening: list[str]
    names: set[str]
    """Their names in Julia."""
    kinds: Names[str]
    """The kinds of all names where its body is."""
    named: bool = False
    """Whether one of them is a named tuple."""


def write_body(here: Scope, head: str, body: list[Node], mode: str, given: Parameters) -> None:
    """Write a function with this head and body."""
    piece, depth = Piece(opening=len(given.opening)), here.depth + 1
    depths = here.depths.adding(dict.fromkeys(given.names, depth))
    inside = here.indented(piece=piece, mode=mode, kinds=given.kinds, depth=depth, depths=depths)
    for line in given.opening:
        inside.put(line)
    here.source.table.block(inside, body, returns=True)
    if piece.uses_xp:
        if not given.first:
            raise Unported("an operation on arrays in a function without one")
        start = len(given.opening)
        if any(re.search(r"\bxp\b", line) for line in piece.lines):
            space = _space(inside, head, given, piece.lines[start:])
            piece.lines.insert(start, f"{' ' * inside.indent}xp = {space}")
    if not any(line.strip() and not line.lstrip().startswith("#") for line in piece.lines):
        inside.put("return None")
    here.put(head)
    here.piece.add(piece)


def _space(here: Scope, head: str, parameters: Parameters, written: list[str]) -> str:
    """Return what finds the functions of arrays: the first parameter's, or those of all if it may be no array."""
    given = ast.parse(head + " pass").body[0]
    assert isinstance(given, ast.FunctionDef)
    names = [one.arg for one in given.args.args if one.arg != "self"]
    if given.args.vararg is not None:
        return here.helper("arrays_space", map(Code, [*names, f"*{given.args.vararg.arg}"])).text
    taken_apart = any(line.endswith(f" = {name}") for line in written for name in names)
    one = len(names) == 1 and not taken_apart and not parameters.named
    if one or not names:
        return f"luxport.namespace({parameters.first})"
    return here.helper("arrays_space", map(Code, names)).text


_NUMBERS = {"Int", "Integer", "Int64", "Int32", "IntegerType", "Float32", "Float64", "Real", "Number", "AbstractFloat"}
_SIZES = re.compile(
    r"Dims(\{\d+\})?|NTuple\{\w+, *(<:)?Int(eger)?\}|Tuple\{Vararg\{Int(eger)?\}\}|(Abstract)?Vector\{(<:)?Int(eger)?\}"
)


def kind_of_type(julia: str) -> str:
    """Return the kind that a declared type tells, nothing if it tells none."""
    plain = julia.rpartition(".")[2] if "{" not in julia else julia
    if plain in _NUMBERS:
        return "number"
    if _SIZES.fullmatch(plain):
        return "sizes"
    return {"Bool": "flag", "Pair": "pair", "String": "text"}.get(plain.partition("{")[0], "")


_LASTING = ("device", "flag", "function", "initializer", "number", "sizes")
"""Kinds of defaults that what is given in their place has, too."""


def written_parameters(
    here: Scope, parameters: list[Node], default: str, with_fields: Set[str] = frozenset()
) -> Parameters:
    """Return parameters in Python; those that say nothing of their kind are of the default one.

    Arrays `with_fields` are named tuples of arrays.
    """
    listed: list[str] = []
    named = False
    opening: list[str] = []
    first, after, opened = "", False, 0
    every = _names_of(parameters)
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
            here = here.binding({text(inner): "keywords" if after else "several"})
            first = first or ("" if after else here.name(text(inner)))
            listed.append(f"{'**' if after else '*'}{here.name(text(inner))}")
            continue
        value, made, kind = None, None, default
        if node.type in ("named_argument", "named_field", "assignment"):
            default_node = node.named_children[-1]
            lines, holes = here.piece.mark()
            value = here.code(default_node)
            if len(here.piece.holes) > holes:  # Python would raise where the function is defined, called or not
                if not after and any("=" in entry for entry in listed):
                    raise Unported("a default that is not ported")
                del here.piece.lines[lines:]
                value = None
            elif _is_made_anew(here, default_node, value, every):
                made = value
            if value is not None:
                kind = value.kind if value.kind in _LASTING else default
            node = node.named_children[0]
        if node.type == "typed_expression" and len(node.named_children) == 2:
            kind = kind_of_type(text(node.named_children[1])) or kind
            if default == "array" and text(node.named_children[1]).startswith("NamedTuple"):
                kind = "inputs"
            node = node.named_children[0]
        elif kind == "array" and text(node) in with_fields:
            kind = "inputs"
        named = named or kind == "inputs"
        if is_named_tuple(node):
            name = f"inputs_{len(listed)}" if listed else "inputs"
            keys = fields_of_names(node)
            opening += [f"{here.name(key)} = {name}[{key!r}]" for key in keys]
            here, named, first = here.binding(dict.fromkeys(keys, "array")), True, first or name
        elif node.type in ("tuple_expression", "open_tuple"):
            name = f"inputs_{len(listed)}" if listed else "inputs"
            opening.append(f"{here.target(node)} = {name}")
            here = here.binding(dict.fromkeys(names_in(node), "number" if kind in ("pair", "sizes") else kind))
            first = first or here.name(text(node.named_children[0]))
        elif node.type == "identifier":
            name = here.name(text(node))
            here = here.binding({text(node): kind})
            first = first or name
        elif node.type == "unary_typed_expression" and text(node) in ("::Nothing", "::Bool", "::Int", "::Function"):
            name = f"unused_{len(listed) + 1}"
        else:
            raise Unported(f"the parameter {text(node)}")
        if made is not None:
            value = Code("...")
            opening.insert(opened, f"{name} = {made.text} if {name} is ... else {name}")
            opened += 1
        listed.append(f"{name}={value.text}" if value else name)
    return Parameters(listed, first, opening, every, here.kinds, named)


def taken_by_field(body: list[Node]) -> set[str]:
    """Return the names of which statements take fields, as of a named tuple: ``x.left`` or ``(; left) = x``."""
    nodes = [node for top in body for node in every_node(top)]
    called = {node.named_children[0] for node in nodes if node.type == "call_expression"}
    fields = [node.named_children[0] for node in nodes if node.type == "field_expression" and node not in called]
    apart = [node for node in nodes if node.type == "assignment" and is_named_tuple(node.named_children[0])]
    fields += [node.named_children[-1] for node in apart]
    return {text(node) for node in fields if node.type == "identifier"}


def _is_made_anew(here: Scope, node: Node, value: Code, parameters: set[str]) -> bool:
    """Whether a default is worked out in each call: it may be changed, or uses what the call or the file gives."""
    if value.text.startswith(("[", "{")):
        return True
    return any(name in here.kinds or name in here.source.structs or name in parameters for name in names_in(node))


def _compact(here: Scope, node: Node, name: str) -> Code:
    given = arguments(node)
    if given.block is None or given.splats:
        raise Unported("@compact without values in place, or without a do block")
    titles = [here.code(value) for key, value in given.named.items() if key == "name"]
    bindings = {key: value for key, value in given.named.items() if key != "name"}
    if given.positional or any(field_name(key) != key for key in bindings):
        raise Unported("values without a name that Python has")
    _check_lasting(here, given.block)
    values = {key: _binding(here, value) for key, value in bindings.items()}
    parameters, body = parameters_and_body(given.block)
    if len(parameters) != 1:
        raise Unported("a function of other than one argument")
    chosen = name or here.output.new_name("compact")
    written = written_parameters(here, parameters, "array")
    kinds = {key: {"layer": "bound", "layers": "bound"}.get(code.kind, code.kind) for key, code in values.items()}
    head = group("luxport.compact(", [*titles, *(named(key, code) for key, code in values.items())], ")")
    here.put_code("@", head)
    inner = f"def {chosen}({', '.join([*written.listed, *(['*'] if values else []), *values])}):"
    renamed = {**here.renamed, **{key: key for key in bindings}}  # which may be names of Python's, as keywords may
    written = replace(written, kinds=written.kinds.adding(kinds))
    write_body(replace(here, renamed=renamed), inner, body, "array", written)
    return Code(chosen, "layer")


def _binding(here: Scope, node: Node) -> Code:
    """A value of `@compact`: arrays that Julia draws at once are described, to be drawn by `setup`."""
    found = array_drawn(here, node)
    if found is not None:
        return found.of_kind("array")
    return here.layer(node) if node.type != "vector_expression" and makes_layers(here, node) else here.code(node)
