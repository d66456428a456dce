"""Translate statements, in functions and at the top of a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from luxport.porting.errors import FileFormatError
from luxport.porting.translate.assignments import assign, assign_compound, push
from luxport.porting.translate.branches import (
    strip_brackets,
    write_choice,
    write_for,
    write_if,
    write_shortcut,
    write_while,
)
from luxport.porting.translate.definitions import define, find_signature
from luxport.porting.translate.flux_training import write_flux_training
from luxport.porting.translate.parse import (
    UNUSUAL,
    Unported,
    find_names,
    find_reason,
    list_parts,
    read_arguments,
    read_last_name,
    read_text,
    write_one_line,
)
from luxport.porting.translate.scope import Scope, can_make_layers
from luxport.porting.translate.structs import Struct, find_span
from luxport.porting.translate.writing import Code, write_remark

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["write_block", "write_statement"]


_LOGGING = ("@info", "@warn", "@debug", "@show", "@assert", "@printf")


_SHOWING_PROGRESS = ("@showprogress ", "@progress ", "@time ")


_SILENT = ("abstract_definition", "export_statement", "import_statement", "using_statement")


def write_block(here: Scope, statements: Sequence[Node], *, returns: bool) -> Scope:
    """Write statements, and return the scope after them. With `returns`, the value of the last one is returned."""
    for position, node in enumerate(statements):
        last = returns and all(later.type.endswith("_comment") for later in statements[position + 1 :])
        mark = here.piece.mark()
        try:
            here = write_statement(here, node, last)
        except FileFormatError:
            raise
        except (Unported, *UNUSUAL) as error:
            here.piece.roll_back(mark)
            here.add_line(here.write_hole(node, find_reason(error)).text)
    return here


def write_statement(here: Scope, node: Node, last: bool) -> Scope:
    """Write a statement, and return the scope of those that follow.

    Raises: Unported if it has no counterpart
    """
    if node.has_error:
        raise Unported("a syntax error")
    here.piece.layers_used = {}
    kind = node.type
    if kind in _SILENT:
        return here
    if kind.endswith("_comment"):
        for line in read_text(node).strip("#=").splitlines():
            here.add_line(write_remark(line.strip()))
        return here
    if kind == "local_statement" and node.named_children[0].type in ("identifier", "open_tuple"):
        return here  # Python needs no declaration
    if kind in ("const_statement", "local_statement"):
        return write_statement(here, node.named_children[0], last)
    if kind in ("compound_statement", "let_statement"):
        return _write_let(here, node, last)
    if kind == "while_statement":
        return write_while(here, node)
    if kind == "if_statement" and last and here.mode == "scalar":
        here.add_code("return ", here.write(node))
        return here
    if kind == "if_statement":
        return write_if(here, node, last)
    if kind == "for_statement":
        return write_for(here, node)
    if kind == "function_definition" or (kind == "assignment" and find_signature(node) is not None):
        return _write_function(here, node)
    trained = write_flux_training(here, node) if kind in ("assignment", "call_expression") else None
    if trained is not None:
        return trained
    if kind == "macrocall_expression" and read_text(node).startswith(_SHOWING_PROGRESS):
        return write_statement(here, list_parts(node.named_children[-1])[-1], last)
    if kind == "assignment":
        return assign(here, node, last)
    if (
        kind == "binary_expression"
        and read_text(list_parts(node)[1]) in ("&&", "||")
        and _has_effect(list_parts(node)[2])
    ):
        return write_shortcut(here, node, last)
    if kind == "ternary_expression" and not last and any(_has_effect(part) for part in list_parts(node)[1:]):
        return write_choice(here, node)
    if kind == "macrocall_expression" and read_text(node).startswith(_LOGGING):
        here.add_line(write_remark(write_one_line(node)))
        if last:
            here.add_line("return None")
    elif kind == "macrocall_expression" and read_text(node).startswith(("@set! ", "@reset ")):
        _write_set(here, node)
    elif kind == "macrocall_expression" and read_text(node).startswith("@return"):
        here.add_code("return ", here.write(node.named_children[-1].named_children[0]))
    elif kind == "compound_assignment_expression":
        assign_compound(here, node)
        if last:
            here.add_line(f"return {here.spell(read_text(list_parts(node)[0]))}")
    elif kind in ("break_statement", "continue_statement"):
        here.add_line(kind.partition("_")[0])
    elif kind == "return_statement":
        given = list_parts(node)
        here.add_code("return ", here.write_value(given[0]) if given else Code("None"))
    elif kind == "call_expression" and _is_statement(here, node, last):
        _write_call_statement(here, node, last)
    elif last:
        here.add_code("return ", here.write_value(node))
    elif kind in ("string_literal", "prefixed_string_literal", "identifier") or read_text(node) == "nothing":
        return here
    elif here.indent == 0 and can_make_layers(here, node):
        code = here.write_layer(node)
        here.add_code("model = ", code)
        return here.bind({"model": code.kind})
    else:
        raise Unported("a statement without a counterpart")
    return here


def _is_statement(here: Scope, node: Node, last: bool) -> bool:
    """Return whether a call is made for its effect, not its value."""
    function = node.named_children[0]
    if read_last_name(function) in ("append!", "error", "push!", "throw"):
        return True
    own = function.type == "identifier" and here.kinds.get(read_text(function)) in ("function", "builder")
    return not last and (read_last_name(function) in ("print", "println") or (here.indent > 0 and own))


def _write_call_statement(here: Scope, node: Node, last: bool) -> None:
    name = read_last_name(node.named_children[0])
    if name in ("print", "println"):
        here.add_line(write_remark(write_one_line(node)))
    elif name in ("append!", "push!"):
        push(here, node)
        if last:
            here.add_code("return ", here.write(read_arguments(node).positional[0]))
    elif name in ("error", "throw"):
        here.add_line(f"raise ValueError({write_one_line(node)!r})")
    else:
        here.add_code("", here.write(node))


def _write_function(here: Scope, node: Node) -> Scope:
    head = find_signature(node)
    if head is None:
        raise Unported("a method of a struct, or of another module's function")
    name = read_text(head.named_children[0])
    struct = here.source.structs.get(name)
    if struct is not None:
        _write_constructor(here, node, struct)
        return here
    methods = here.source.several.get(name, []) if here.indent == 0 else []
    again = here.indent and here.is_local(name) and here.kinds.get(name) in ("builder", "function", "initializer")
    if again or any(not entry.python for entry in methods):
        raise Unported(f"{name} with several methods, which Julia chooses by the arguments' types")
    own = [entry.python for entry in methods if find_span(entry.node) == find_span(node)]
    mode = "build" if can_make_layers(here, node) else "scalar" if name in here.source.of_elements else "array"
    found = define(here, node, mode=mode, name=own[0] if own else here.spell(name))
    return here.bind_local({name: found.kind})


def _write_constructor(here: Scope, node: Node, struct: Struct) -> None:
    if here.kinds.get(struct.name) == "unported":
        raise Unported(f"{struct.name} was not ported")
    if any(entry.most < 0 for entry in struct.constructors):
        raise Unported(f"{struct.name}, which has constructors for explicit type parameters")
    (found,) = [entry for entry in struct.constructors if find_span(entry.node) == find_span(node)]
    define(here, node, mode="build", name=found.python)


def _has_effect(node: Node) -> bool:
    """Return whether an expression is evaluated for its effect, not its value."""
    node = strip_brackets(node)
    if node.type == "call_expression":
        name = read_last_name(node.named_children[0])
        return name.endswith("!") or name in ("error", "print", "println", "throw")
    if node.type == "macrocall_expression":
        return read_text(node).startswith(_LOGGING)
    return node.type in ("return_statement", "assignment", "break_statement", "continue_statement")


def _write_let(here: Scope, node: Node, last: bool) -> Scope:
    """Write a ``let`` or ``begin`` block. Python has no such scope, so its new variables must not shadow others."""
    bindings = [child for child in node.named_children if child.type == "let_binding"]
    body = [child for child in node.named_children if child.type != "let_binding"]
    for entry in bindings:
        if any(name in here.kinds or here.is_local(name) for name in find_names(entry.named_children[0])):
            raise Unported("a let block whose variables shadow others")
        here = assign(here, entry, False)
    if node.type == "let_statement":
        assigned = set().union(*(find_names(child.named_children[0]) for child in body if child.type == "assignment"))
        if any(name in here.kinds and not here.is_local(name) for name in assigned):
            raise Unported("a let block whose variables shadow others")
    return write_block(here, body, returns=last)


def _write_set(here: Scope, node: Node) -> None:
    """Write ``@set! st.a = b``, which makes a named tuple with another value of a field."""
    (given,) = node.named_children[-1].named_children
    target, _, value = given.named_children
    base, field = target.named_children
    if base.type != "identifier" or here.kinds.get(read_text(base)) != "tree":
        raise Unported("a change in something that is not a named tuple")
    name = here.spell(read_text(base))
    here.add_code(f"{name} = ", Code(f"{{**{name}, {read_text(field)!r}: {here.write(value).text}}}"))
