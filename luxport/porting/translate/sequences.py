"""Translate what iterates over sequences: comprehensions, loops, ranges, `map` and `ntuple`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luxport.porting.translate.indices import add_one, build_view
from luxport.porting.translate.options import expect_positional
from luxport.porting.translate.parse import Arguments, Unported, find_names, read_arguments, read_last_name, read_text
from luxport.porting.translate.scope import Scope, can_make_layers
from luxport.porting.translate.writing import Code, write_operand

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["SEQUENCES", "build_map", "read_binding", "write_comprehension", "write_span"]


def write_comprehension(here: Scope, node: Node) -> Code:
    """Translate a comprehension ``[f(i) for i in 1:n if c]``, also over several sequences or nested."""
    made, *clauses = [child for child in node.named_children if not child.type.endswith("_comment")]
    loops = ""
    for clause in clauses:
        if clause.type == "if_clause":
            loops += f" if {here.write_condition(clause.named_children[0]).text}"
            continue
        if clause.type != "for_clause" or len(clause.named_children) != 1:
            raise Unported("a comprehension over several ranges, which makes a matrix")
        variable, over, kinds = read_binding(here, clause.named_children[0])
        here = here.open_loop(kinds)
        loops += f" for {here.write_target(variable)} in {over}"
    return _write_list(here, made, loops)


def _write_list(here: Scope, made: Node, loops: str) -> Code:
    """Return a list comprehension of an expression and its loops, in the scope of the loops."""
    entry = here.write_layer_or_number(made) if here.mode == "build" else here.write(made)
    return Code(f"[{entry.text}{loops}]", "sizes" if entry.kind == "number" else "layers")


def read_binding(here: Scope, node: Node) -> tuple[Node, str, dict[str, str]]:
    """Return a loop's variable, the sequence in Python, and the kinds of the variable's names."""
    return _read_iteration(here, node.named_children[0], node.named_children[-1])


def _read_iteration(here: Scope, variable: Node, over: Node) -> tuple[Node, str, dict[str, str]]:
    """Return a loop's variable, its sequence in Python, and its names' kinds, for ``enumerate``, ``zip`` and others."""
    if over.type == "parenthesized_expression" and over.named_children[0].type == "range_expression":
        over = over.named_children[0]
    if over.type == "range_expression":
        return variable, _write_range(here, over), dict.fromkeys(find_names(variable), "number")
    if here.kinds.get(read_text(over)) == "table":
        raise Unported("a loop over a Dict, whose entries are pairs in Julia")
    name = read_last_name(over.named_children[0]) if over.type == "call_expression" else ""
    if name in here.kinds:
        name = ""
    given = read_arguments(over) if name else Arguments()
    if name == "eachindex" and len(given.positional) == 1:
        inner = _write_sequence(here, given.positional[0])
        return variable, f"range(1, len({inner.text}) + 1)", dict.fromkeys(find_names(variable), "number")
    if name == "enumerate" and len(given.positional) == 1 and len(variable.named_children) == 2:
        counter, rest = variable.named_children
        _, inner, kinds = _read_iteration(here, rest, given.positional[0])
        return variable, f"enumerate({inner}, 1)", {read_text(counter): "number", **kinds}
    if name == "zip" and len(given.positional) == len(variable.named_children):
        found, kinds = [], {}
        for part, sequence in zip(variable.named_children, given.positional, strict=True):
            _, inner, own = _read_iteration(here, part, sequence)
            found.append(inner)
            kinds |= own
        return variable, f"zip({', '.join(found)})", kinds
    if name in ("reverse", "collect") and len(given.positional) == 1 and not given.named:
        _, inner, kinds = _read_iteration(here, variable, given.positional[0])
        return variable, f"reversed({inner})" if name == "reverse" else inner, kinds
    code = _write_sequence(here, over)
    kind = {"sizes": "number", "bound": "bound"}.get(code.kind, "unknown")
    return variable, code.text, dict.fromkeys(find_names(variable), kind)


def _write_sequence(here: Scope, node: Node) -> Code:
    code = here.write(node)
    if code.kind in ("array", "number", "layer", "flag", "function"):
        raise Unported("a loop over something that is not a sequence")
    return code


def write_span(here: Scope, node: Node) -> Code:
    """Translate a range of integers."""
    found = _write_range(here, node)
    if "." in found:
        raise Unported("a range of numbers that are not integers")
    return Code(found, "sizes")


def _write_range(here: Scope, node: Node) -> str:
    first, last = node.named_children
    if first.type == "range_expression":
        (first, step), last = first.named_children, last
        start, by, stop = here.write(first), here.write(step), here.write(last)
        signed = by.text.removeprefix("-").isdigit()
        if not signed or by.text in ("0", "-0"):
            raise Unported("a range whose step is not a literal number")
        end = f"{write_operand(stop)} - 1" if by.text.startswith("-") else add_one(stop)
        return f"range({start.text}, {end}, {by.text})"
    ends = [here.write(end) for end in (first, last)]
    if any(end.kind not in ("number", "unknown") for end in ends):
        raise Unported("a range of numbers that are not integers")
    return f"range({ends[0].text}, {add_one(ends[1])})"


def _build_span(here: Scope, given: Arguments) -> Code:
    """Translate ``range(1, length = n)`` and ``range(1, n)`` of integers."""
    given.expect_keywords("length", "stop")
    first, *rest = [here.write(node) for node in expect_positional(given, 1, 2)]
    if len(rest) + len(given.named) != 1 or first.kind not in ("number", "unknown") or "." in first.text:
        raise Unported("a range of numbers that are not integers")
    last = rest[0] if rest else here.write(next(iter(given.named.values())))
    if last.kind not in ("number", "unknown") or "." in last.text:
        raise Unported("a range of numbers that are not integers")
    if "length" not in given.named:
        return Code(f"range({first.text}, {add_one(last)})", "sizes")
    end = add_one(last) if first.text == "1" else f"{write_operand(first)} + {write_operand(last)}"
    return Code(f"range({first.text}, {end})", "sizes")


def build_map(here: Scope, given: Arguments) -> Code:
    """Translate ``map(f, xs)`` of an anonymous function, or with a ``do`` block, into a list."""
    given_block = given.block
    if given.named or given.splats:
        raise Unported("map with keywords")
    if given_block is not None:
        (sequence,) = given.positional
        inner = [child for child in given_block.named_children if not child.type.endswith("_comment")]
        listed, *body = inner
        variables = listed.named_children if listed.type == "argument_list" else []
    elif len(given.positional) > 2:
        return _build_zip(here, given)
    else:
        function, sequence = given.positional
        if function.type != "arrow_function_expression":
            raise Unported("map of a function that is not anonymous")
        variable, *body = function.named_children
        variables = variable.named_children if variable.type == "argument_list" else [variable]
    if len(body) == 1 and body[0].type in ("block", "compound_statement"):
        body = [child for child in body[0].named_children if not child.type.endswith("_comment")]
    if len(variables) != 1:
        raise Unported("map of a function of more than one variable")
    if len(body) != 1 or body[0].type in _STATEMENTS:
        function = given_block if given_block is not None else given.positional[0]
        _, over, kinds = _read_iteration(here, variables[0], sequence)
        if set(kinds.values()) != {"number"} and here.mode != "build":
            raise Unported("map of a function of more than one expression")
        name = here.define_function(function, "build" if can_make_layers(here, function) else "array").text
        target = here.write_target(variables[0])
        return Code(f"[{name}({target}) for {target} in {over}]", "layers")
    return _write_loop(here, variables[0], body[0], sequence)


def _build_zip(here: Scope, given: Arguments) -> Code:
    """Translate ``map(f, xs, ys)``."""
    function, *sequences = given.positional
    if function.type != "arrow_function_expression" or function.named_children[0].type != "argument_list":
        raise Unported("map of a function that is not anonymous")
    listed, *body = function.named_children
    variables = listed.named_children
    if len(variables) != len(sequences) or len(body) != 1 or body[0].type in _STATEMENTS:
        raise Unported("map of a function of more than one expression")
    overs, inside = [], here
    for variable, sequence in zip(variables, sequences, strict=True):
        if here.kinds.get(read_text(sequence)) == "array":
            over = here.call_helper("expect_tuple", [Code(here.spell(read_text(sequence)))]).text
            kinds = {read_text(variable): "unknown"}
        else:
            _, over, kinds = _read_iteration(here, variable, sequence)
        overs.append(over)
        inside = inside.open_loop(kinds)
    targets = ", ".join(inside.write_target(variable) for variable in variables)
    return _write_list(inside, body[0], f" for {targets} in zip({', '.join(overs)}, strict=True)")


def build_ntuple(here: Scope, given: Arguments) -> Code:
    """Translate ``ntuple(i -> f(i), n)`` into a list."""
    given.expect_keywords()
    function, count = given.positional
    if function.type == "call_expression" and read_text(function.named_children[0]) in ("Returns", "Base.Returns"):
        (value,) = read_arguments(function).positional
        number, repeated = here.write(count), here.write(value)
        if number.kind not in ("number", "unknown"):
            raise Unported("a number expected")
        kind = "sizes" if repeated.kind == "number" else "layers"
        return Code(f"[{repeated.text} for _ in range({number.text})]", kind)
    if function.type != "arrow_function_expression":
        raise Unported("ntuple of a function that is not anonymous")
    variable, *body = function.named_children
    if variable.type == "argument_list":
        (variable,) = variable.named_children
    if len(body) != 1:
        raise Unported("ntuple of a function of more than one expression")
    number = here.write(count)
    if number.kind not in ("number", "unknown"):
        raise Unported("a number expected")
    return _write_loop(here, variable, body[0], f"range(1, {add_one(number)})")


def _write_loop(here: Scope, variable: Node, made: Node, sequence: Node | str) -> Code:
    if isinstance(sequence, str):
        over, kinds = sequence, dict.fromkeys(find_names(variable), "number")
    else:
        _, over, kinds = _read_iteration(here, variable, sequence)
    inside = here.open_loop(kinds)
    return _write_list(inside, made, f" for {inside.write_target(variable)} in {over}")


_STATEMENTS = ("assignment", "compound_assignment_expression", "for_statement", "if_statement", "return_statement")


SEQUENCES = {"map": build_map, "ntuple": build_ntuple, "range": _build_span, "view": build_view}
"""The builder for each function that returns a sequence, by its name in Julia."""
