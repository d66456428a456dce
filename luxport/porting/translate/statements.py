"""Julia's statements as Python's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.porting.errors import FileFormatError
from luxport.porting.translate.branches import either, loop, loop_while, shortcut, unbracketed, when
from luxport.porting.translate.definitions import define, signature
from luxport.porting.translate.flux_training import flux_training
from luxport.porting.translate.parse import (
    UNUSUAL,
    Unported,
    arguments,
    fields_of_names,
    is_named_tuple,
    last_name,
    names_in,
    one_line,
    parts,
    reason_of,
    text,
)
from luxport.porting.translate.scope import Scope, makes_layers
from luxport.porting.translate.sequences import after_place, place
from luxport.porting.translate.structs import Struct, place_of
from luxport.porting.translate.writing import Code, operand, remark

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["block", "statement"]

_LOGGING = ("@info", "@warn", "@debug", "@show", "@assert", "@printf")
_SHOWING_PROGRESS = ("@showprogress ", "@progress ", "@time ")
_SILENT = ("abstract_definition", "export_statement", "import_statement", "using_statement")


def block(here: Scope, statements: Sequence[Node], *, returns: bool) -> Scope:
    """Write statements, and return the scope of what follows; the value of the last one is returned, if any is."""
    for position, node in enumerate(statements):
        last = returns and all(later.type.endswith("_comment") for later in statements[position + 1 :])
        mark = here.piece.mark()
        try:
            here = statement(here, node, last)
        except FileFormatError:
            raise
        except (Unported, *UNUSUAL) as error:
            here.piece.back_to(mark)
            here.put(here.hole(node, reason_of(error)).text)
    return here


def statement(here: Scope, node: Node, last: bool) -> Scope:
    """Write a statement, and return the scope of those that follow.

    Raises: Unported
    """
    if node.has_error:
        raise Unported("a syntax error")
    here.piece.layers_used = {}
    kind = node.type
    if kind in _SILENT:
        return here
    if kind.endswith("_comment"):
        for line in text(node).strip("#=").splitlines():
            here.put(remark(line.strip()))
        return here
    if kind == "local_statement" and node.named_children[0].type in ("identifier", "open_tuple"):
        return here  # names that Python has without being told
    if kind in ("const_statement", "local_statement"):
        return statement(here, node.named_children[0], last)
    if kind in ("compound_statement", "let_statement"):
        return _let(here, node, last)
    if kind == "while_statement":
        return loop_while(here, node)
    if kind == "if_statement" and last and here.mode == "scalar":
        here.put_code("return ", here.code(node))
        return here
    if kind == "if_statement":
        return when(here, node, last)
    if kind == "for_statement":
        return loop(here, node)
    if kind == "function_definition" or (kind == "assignment" and signature(node) is not None):
        return _function(here, node)
    trained = flux_training(here, node) if kind in ("assignment", "call_expression") else None
    if trained is not None:
        return trained
    if kind == "macrocall_expression" and text(node).startswith(_SHOWING_PROGRESS):
        return statement(here, parts(node.named_children[-1])[-1], last)
    if kind == "assignment":
        return _assignment(here, node, last)
    if kind == "binary_expression" and text(parts(node)[1]) in ("&&", "||") and _acts(parts(node)[2]):
        return shortcut(here, node, last)
    if kind == "ternary_expression" and not last and any(_acts(part) for part in parts(node)[1:]):
        return either(here, node)
    if kind == "macrocall_expression" and text(node).startswith(_LOGGING):
        here.put(remark(one_line(node)))
        if last:
            here.put("return None")
    elif kind == "macrocall_expression" and text(node).startswith(("@set! ", "@reset ")):
        _set(here, node)
    elif kind == "macrocall_expression" and text(node).startswith("@return"):
        here.put_code("return ", here.code(node.named_children[-1].named_children[0]))
    elif kind == "compound_assignment_expression":
        _compound(here, node)
        if last:
            here.put(f"return {here.name(text(parts(node)[0]))}")
    elif kind in ("break_statement", "continue_statement"):
        here.put(kind.partition("_")[0])
    elif kind == "return_statement":
        given = parts(node)
        here.put_code("return ", here.value(given[0]) if given else Code("None"))
    elif kind == "call_expression" and _is_statement(here, node, last):
        _call(here, node, last)
    elif last:
        here.put_code("return ", here.value(node))
    elif kind in ("string_literal", "prefixed_string_literal", "identifier") or text(node) == "nothing":
        return here
    elif here.indent == 0 and makes_layers(here, node):
        code = here.layer(node)
        here.put_code("model = ", code)
        return here.binding({"model": code.kind})
    else:
        raise Unported("a statement without a counterpart")
    return here


def _is_statement(here: Scope, node: Node, last: bool) -> bool:
    """Whether a call is there for what it does."""
    function = node.named_children[0]
    if last_name(function) in ("append!", "error", "push!", "throw"):
        return True
    own = function.type == "identifier" and here.kinds.get(text(function)) in ("function", "builder")
    return not last and (last_name(function) in ("print", "println") or (here.indent > 0 and own))


def _call(here: Scope, node: Node, last: bool) -> None:
    name = last_name(node.named_children[0])
    if name in ("print", "println"):
        here.put(remark(one_line(node)))
    elif name in ("append!", "push!"):
        _push(here, node)
        if last:
            here.put_code("return ", here.code(arguments(node).positional[0]))
    elif name in ("error", "throw"):
        here.put(f"raise ValueError({one_line(node)!r})")
    else:
        here.put_code("", here.code(node))


def _assignment(here: Scope, node: Node, last: bool) -> Scope:
    target, _, *values = parts(node)
    if len(values) != 1:
        raise Unported("an assignment of several values")
    if target.type == "index_expression" and here.mode == "build":
        return _entry_assigned(here, target, values[0])
    if any(here.is_outer(name) for name in names_in(target)):
        raise Unported("an assignment to a variable of the function around")
    if target.type == "typed_expression":
        target = target.named_children[0]
    if is_named_tuple(target):
        return _fields_assigned(here, target, values[0], last)
    value, names = values[0], names_in(target)
    name = written = here.name(text(target)) if target.type == "identifier" else ""
    here = replace(here, depths=here.depths.adding(dict.fromkeys(names, here.depth)))
    compact = text(value).startswith(("@compact", "Lux.@compact"))
    if name and (value.type == "arrow_function_expression" or compact):
        code = define(here, value, mode="compact" if compact else "array", name=name)
        kinds = {text(target): code.kind}
    else:
        written = here.target(target)
        code = here.layer(value) if makes_layers(here, value) else here.code(value)
        if code.kind == "table" and names & here.source.changed:  # which what is left out would leave as it is here
            raise Unported("a Dict that is changed later")
        if (
            value.type == "identifier"
            and code.kind in ("layers", "sizes")
            and {text(value), *names} & here.source.filled
        ):
            raise Unported("another name for a vector whose entries are assigned")
        here.put_code(f"{written.removeprefix('(').removesuffix(')')} = ", code)
        several = {"number"} if code.kind == "sizes" else {entry.kind for entry in code.entries}
        kinds = (
            {text(target): code.kind}
            if name
            else dict.fromkeys(names, several.pop() if len(several) == 1 else "unknown")
        )
    if last:  # what is assigned is the value of the assignment
        here.put(f"return {name or written}")
    return here.binding(kinds)


def _fields_assigned(here: Scope, target: Node, value: Node, last: bool) -> Scope:
    """``(; a, b) = x``, of a named tuple."""
    names = fields_of_names(target)
    found = here.code(value)
    if found.kind not in ("inputs", "tree", "bound") or last:
        raise Unported("fields taken out of a struct by their names")
    kind = "array" if found.kind == "inputs" else found.kind
    taken = [Code(f"{operand(found)}[{name!r}]") for name in names]
    here = replace(here, depths=here.depths.adding(dict.fromkeys(names, here.depth)))
    here.put(f"{', '.join(map(here.name, names))} = {', '.join(code.text for code in taken)}")
    return here.binding(dict.fromkeys(names, kind))


def _entry_assigned(here: Scope, target: Node, value: Node) -> Scope:
    """``layers[i] = layer`` in a vector that the function at hand has made: a list with another entry there."""
    base, brackets = target.named_children
    name, indices = text(base), parts(brackets)
    if base.type != "identifier" or len(indices) != 1:
        raise Unported("an assignment to something that is no name")
    if not here.is_own(name) or here.kinds.get(name) not in ("layers", "sizes"):
        raise Unported("a change in what may be no vector of this function's own")
    where, written = place(here, indices[0]), here.name(name)
    code = here.layer_or_number(value)
    if ":" in where or (where.startswith("-") and where != "-1"):
        raise Unported("a change of several entries, or of one counted from the end")
    if where == "-1":
        here.put_code(f"{written} = ", Code(f"[*{written}[:-1], {code.text}]", "layers"))
    else:
        after = after_place(where)
        here.put_code(f"{written} = ", Code(f"[*{written}[:{where}], {code.text}, *{written}[{after}:]]", "layers"))
    return here


def _compound(here: Scope, node: Node) -> None:
    target, operator, value = parts(node)
    symbol = text(operator)
    if target.type != "identifier" or text(target) not in here.kinds or symbol not in ("+=", "-=", "*="):
        raise Unported(f"an assignment with {symbol}")
    if here.is_outer(text(target)):
        raise Unported("an assignment to a variable of the function around")
    code, kind = here.code(value), here.kinds[text(target)]
    if symbol == "*=" and (code.kind, kind) != ("number", "number"):
        raise Unported("a product of what may be matrices")
    name = here.name(text(target))
    here.put_code(f"{name} = ", Code(f"{name} {symbol[0]} {operand(code)}", code.kind))


def _function(here: Scope, node: Node) -> Scope:
    head = signature(node)
    if head is None:
        raise Unported("a method of a struct, or of another module's function")
    name = text(head.named_children[0])
    struct = here.source.structs.get(name)
    if struct is not None:
        _constructor(here, node, struct)
        return here
    methods = here.source.several.get(name, []) if here.indent == 0 else []
    again = here.indent and here.is_own(name) and here.kinds.get(name) in ("builder", "function", "initializer")
    if again or any(not entry.python for entry in methods):
        raise Unported(f"{name} with several methods, which Julia chooses by the arguments' types")
    own = [entry.python for entry in methods if place_of(entry.node) == place_of(node)]
    mode = "build" if makes_layers(here, node) else "scalar" if name in here.source.of_elements else "array"
    found = define(here, node, mode=mode, name=own[0] if own else here.name(name))
    return here.assigning({name: found.kind})


def _constructor(here: Scope, node: Node, struct: Struct) -> None:
    if here.kinds.get(struct.name) == "unported":
        raise Unported(f"{struct.name} was not ported")
    if any(entry.most < 0 for entry in struct.constructors):
        raise Unported(f"{struct.name}, which has constructors by type")
    (found,) = [entry for entry in struct.constructors if place_of(entry.node) == place_of(node)]
    define(here, node, mode="build", name=found.python)


def _acts(node: Node) -> bool:
    """Whether an expression is there for what it does, not for its value."""
    node = unbracketed(node)
    if node.type == "call_expression":
        name = last_name(node.named_children[0])
        return name.endswith("!") or name in ("error", "print", "println", "throw")
    if node.type == "macrocall_expression":
        return text(node).startswith(_LOGGING)
    return node.type in ("return_statement", "assignment", "break_statement", "continue_statement")


def _let(here: Scope, node: Node, last: bool) -> Scope:
    """Statements of a block of their own; Julia's new variables must not be names that there are."""
    bindings = [child for child in node.named_children if child.type == "let_binding"]
    body = [child for child in node.named_children if child.type != "let_binding"]
    for entry in bindings:
        if any(name in here.kinds or here.is_own(name) for name in names_in(entry.named_children[0])):
            raise Unported("a let of names that are taken")
        here = _assignment(here, entry, False)
    if node.type == "let_statement":
        assigned = set().union(*(names_in(child.named_children[0]) for child in body if child.type == "assignment"))
        if any(name in here.kinds and not here.is_own(name) for name in assigned):
            raise Unported("a let of names that are taken")
    return block(here, body, returns=last)


def _set(here: Scope, node: Node) -> None:
    """``@set! st.a = b``: a named tuple with another entry."""
    (given,) = node.named_children[-1].named_children
    target, _, value = given.named_children
    base, field = target.named_children
    if base.type != "identifier" or here.kinds.get(text(base)) != "tree":
        raise Unported("a change in something that is no named tuple")
    name = here.name(text(base))
    here.put_code(f"{name} = ", Code(f"{{**{name}, {text(field)!r}: {here.code(value).text}}}"))


def _push(here: Scope, node: Node) -> None:
    given = arguments(node)
    given.only()
    if len(given.positional) < 2 or last_name(given.positional[0]) not in here.kinds:
        raise Unported("push! of other than layers")
    listed, *values = given.positional
    pushed = last_name(node.named_children[0]) == "push!"
    for value in values:
        several = value.type == "splat_expression"
        if several and not pushed:
            raise Unported("append! of several lists in one")
        method = "append" if pushed and not several else "extend"
        code = here.code(value.named_children[0]) if several else here.layer(value)
        made = replace(code, text=f"{code.text})", closing=f"{code.closing})")
        here.put_code(f"{here.code(listed).text}.{method}(", made)
