"""Julia's functions as Python's: named, short and anonymous ones, and what `@compact` makes layers from."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from luxport.porting.translate.drawn import array_drawn, scaled_initializer
from luxport.porting.translate.functions import of_elements
from luxport.porting.translate.parse import Unported, arguments, head_of, last_name, names_in, one_line, text
from luxport.porting.translate.tables import INITIALIZERS
from luxport.porting.translate.translator import Translator, makes_layers
from luxport.porting.translate.writing import Code, field_name, group, named, remark, render

if TYPE_CHECKING:
    from tree_sitter import Node


__all__ = [
    "define",
    "kind_of_type",
    "names_of",
    "parameters_and_body",
    "signature",
    "write_body",
    "written_parameters",
]


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


def define(t: Translator, node: Node, *, mode: str, name: str = "") -> str:
    """Write a function above the statement that is being written, and return its name in Python.

    Raises: Unported
    """
    if mode == "compact":
        return _compact(t, node, name)
    if node.type in ("identifier", "field_expression"):
        mode, uses_xp, t.mode = t.mode, t.uses_xp, "scalar"
        try:
            value = of_elements(t, last_name(node), [Code("x", "array")])
        finally:
            t.mode, t.uses_xp = mode, uses_xp
        chosen = _fresh(t, name or last_name(node))
        for line in (f"def {chosen}(x):", "    xp = luxport.namespace(x)", f"    return {value.text}"):
            t.put(line)
        return chosen
    if names_in(node) & t.fleeting:
        raise Unported("a function that uses a variable of the loop around it")
    parameters, body = parameters_and_body(node)
    drawing = scaled_initializer(t, parameters, [child for child in body if not child.type.endswith("_comment")])
    if drawing is not None:
        chosen = name or _fresh(t, "initializer")
        t.put(f"{chosen} = {drawing.text}")
        t.initializers.add(chosen)
        return chosen
    if node.type == "arrow_function_expression":
        mode = "build" if makes_layers(t, node) else mode
    chosen = name or _fresh(t, "function")
    if node.type == "arrow_function_expression":
        t.put(remark(one_line(node)))
    _write(t, chosen, parameters, body, mode, anonymous=not name or node.type == "arrow_function_expression")
    return chosen


def _fresh(t: Translator, stem: str) -> str:
    t.functions += 1
    return f"{stem}_{t.functions}"


def _write(t: Translator, name: str, parameters: list[Node], body: list[Node], mode: str, *, anonymous: bool) -> None:
    kinds = dict(t.kinds)
    default = "unknown" if mode == "build" or not anonymous else "array"
    listed, first, opening = written_parameters(t, parameters, default)
    write_body(t, f"def {name}({', '.join(listed)}):", body, mode, first, opening, names_of(parameters))
    t.kinds = kinds


def names_of(parameters: list[Node]) -> set[str]:
    """Return the names that parameters give what a function is called with."""
    found: set[str] = set()
    for node in parameters:
        for around in (("named_argument", "named_field", "assignment"), ("splat_expression",), ("typed_expression",)):
            node = node.named_children[0] if node.type in around else node
        found |= names_in(node)
    return found


def write_body(
    t: Translator, head: str, body: list[Node], mode: str, first: str, opening: list[str], own: set[str]
) -> None:
    """Write a function with this head and body.

    `first` is its first array, `opening` what its body begins with, `own` are Julia's names of its parameters.
    """
    lines, before, outer, uses_xp, layers_used = t.lines, t.mode, t.outer, t.uses_xp, t.layers_used
    t.uses_xp = False
    t.outer = t.outer | t.locals
    t.locals, locals_before = set(own), t.locals
    t.lines, t.mode = [], mode if mode != "compact" else "array"
    t.indent += 4
    for line in opening:
        t.put(line)
    try:
        t.table.block(t, body, returns=True)
        written = t.lines
        if t.uses_xp:
            if not first:
                raise Unported("an operation on arrays in a function without one")
            if any("xp." in line for line in written):
                written.insert(len(opening), " " * t.indent + f"xp = {_space(t, head, first, written[len(opening) :])}")
        if not any(line.strip() and not line.lstrip().startswith("#") for line in written):
            t.put("return None")
    finally:
        t.indent -= 4
        t.lines, t.mode, t.outer, t.locals, t.uses_xp = lines, before, outer, locals_before, uses_xp
        t.layers_used = layers_used
    t.put(head)
    t.lines += written


def _space(t: Translator, head: str, first: str, written: list[str]) -> str:
    """Return what finds the functions of arrays: the first parameter's, or those of all if it may be no array."""
    given = ast.parse(head + " pass").body[0]
    assert isinstance(given, ast.FunctionDef)
    names = [one.arg for one in given.args.args if one.arg != "self"]
    taken_apart = any(line.endswith(f" = {name}") for line in written for name in names)
    if (len(names) == 1 and not taken_apart) or not names:
        return f"luxport.namespace({first})"
    return t.helper("arrays_space", map(Code, names)).text


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


def written_parameters(t: Translator, parameters: list[Node], default: str) -> tuple[list[str], str, list[str]]:
    """Return what stands in the head, the first parameter's name, and lines that take tuples apart."""
    listed: list[str] = []
    opening: list[str] = []
    first, after, opened = "", False, 0
    every = names_of(parameters)
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
            t.kinds[text(inner)] = "keywords" if after else "several"
            listed.append(f"{'**' if after else '*'}{t.name(text(inner))}")
            continue
        value, made, kind = None, None, default
        if node.type in ("named_argument", "named_field", "assignment"):
            default_node = node.named_children[-1]
            lines, holes = len(t.lines), len(t.holes)
            value = t.code(default_node)
            if len(t.holes) > holes:  # Python would raise where the function is defined, called or not
                if not after and any("=" in entry for entry in listed):
                    raise Unported("a default that is not ported")
                del t.lines[lines:]
                value = None
            elif _is_made_anew(t, default_node, value, every):
                made = value
            if value is not None:
                kind = value.kind if value.kind in ("number", "sizes", "flag", "function", "device") else default
            if value is not None and value.kind == "function" and last_name(node.named_children[-1]) in INITIALIZERS:
                kind = "initializer"
            node = node.named_children[0]
        if node.type == "typed_expression" and len(node.named_children) == 2:
            kind = kind_of_type(text(node.named_children[1])) or kind
            node = node.named_children[0]
        if node.type in ("tuple_expression", "open_tuple"):
            name = f"inputs_{len(listed)}" if listed else "inputs"
            opening.append(f"{t.target(node)} = {name}")
            t.kinds |= dict.fromkeys(names_in(node), "number" if kind in ("pair", "sizes") else kind)
            first = first or t.name(text(node.named_children[0]))
        elif node.type == "identifier":
            name = t.name(text(node))
            t.kinds[text(node)] = kind
            first = first or name
        else:
            raise Unported(f"the parameter {text(node)}")
        if made is not None:
            value = Code("...")
            opening.insert(opened, f"{name} = {made.text} if {name} is ... else {name}")
            opened += 1
        listed.append(f"{name}={value.text}" if value else name)
    return listed, first, opening


def _is_made_anew(t: Translator, node: Node, value: Code, parameters: set[str]) -> bool:
    """Whether a default is worked out in each call: it may be changed, or uses what the call or the file gives."""
    return value.text.startswith(("[", "{")) or bool(names_in(node) & (set(t.kinds) | t.announced | parameters))


def _compact(t: Translator, node: Node, name: str) -> str:
    given = arguments(node)
    if given.block is None or given.splats:
        raise Unported("@compact without values in place, or without a do block")
    titles = [t.code(value) for key, value in given.named.items() if key == "name"]
    bindings = {key: value for key, value in given.named.items() if key != "name"}
    if given.positional or any(field_name(key) != key for key in bindings):
        raise Unported("values without a name that Python has")
    if names_in(given.block) & t.fleeting:
        raise Unported("a function that uses a variable of the loop around it")
    values = {key: _binding(t, value) for key, value in bindings.items()}
    parameters, body = parameters_and_body(given.block)
    if len(parameters) != 1:
        raise Unported("a function of other than one argument")
    chosen = name or _fresh(t, "compact")
    kinds, renamed = dict(t.kinds), t.renamed
    listed, first, opening = written_parameters(t, parameters, "array")
    t.renamed = {**renamed, **{key: key for key in bindings}}  # which may be names of Python's, as keywords may
    t.kinds |= {key: {"layer": "bound", "layers": "bound"}.get(code.kind, code.kind) for key, code in values.items()}
    head = group("luxport.compact(", [*titles, *(named(key, code) for key, code in values.items())], ")")
    for line in render(head, "@", t.indent):
        t.lines.append(line)
    star = ["*"] if values else []
    inner = f"def {chosen}({', '.join([*listed, *star, *values])}):"
    try:
        write_body(t, inner, body, "compact", first, opening, names_of(parameters))
    finally:
        t.kinds, t.renamed = kinds, renamed
    return chosen


def _binding(t: Translator, node: Node) -> Code:
    """A value of `@compact`: arrays that Julia draws at once are described, to be drawn by `setup`."""
    found = array_drawn(t, node)
    if found is not None:
        return Code(found.text, "array", False, found.opening, found.entries, found.closing)
    return t.layer(node) if node.type != "vector_expression" and makes_layers(t, node) else t.code(node)
