"""Julia's statements as Python's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from luxport.porting.errors import FileFormatError
from luxport.porting.translate.definitions import define, signature
from luxport.porting.translate.methods import dispatcher, is_dispatched
from luxport.porting.translate.parse import (
    UNUSUAL,
    Unported,
    arguments,
    head_of,
    is_named_tuple,
    last_name,
    line_of,
    names_in,
    one_line,
    parts,
    reason_of,
    text,
)
from luxport.porting.translate.sequences import binding
from luxport.porting.translate.struct_layers import write_struct
from luxport.porting.translate.structs import place_of
from luxport.porting.translate.translator import Hole, Translator, makes_layers
from luxport.porting.translate.writing import Code, operand, remark, render

if TYPE_CHECKING:
    from tree_sitter import Node

    from luxport.porting.translate.structs import Constructor, Struct

__all__ = ["block", "changed_in_place", "leave_out", "top_level"]

_TRAINING = ("loadmodel!", "loadparams!", "reset!", "seed!", "testmode!", "train!", "trainmode!", "update!")
_LOGGING = ("@info", "@warn", "@debug", "@show", "@assert", "@printf")
_SILENT = ("abstract_definition", "export_statement", "import_statement", "using_statement")


def block(t: Translator, statements: Sequence[Node], *, returns: bool) -> None:
    """Write statements; the value of the last one is returned, if any is."""
    for position, node in enumerate(statements):
        last = returns and all(later.type.endswith("_comment") for later in statements[position + 1 :])
        lines, holes = len(t.lines), len(t.holes)
        try:
            _statement(t, node, last)
        except FileFormatError:
            raise
        except (Unported, *UNUSUAL) as error:
            del t.lines[lines:], t.holes[holes:]
            t.put(t.hole(node, reason_of(error)).text)


def top_level(t: Translator, node: Node) -> None:
    """Write a statement of the file.

    One that makes no layer (of a training loop, say) and is not understood is left out, with a remark; whatever
    uses a name from it is marked in its place.
    """
    _top_level(t, node)
    name, methods = _methods_with(t, node)
    if is_dispatched(name, methods) and place_of(node) == place_of(methods[-1].node):
        t.helpers |= {"fits", "is_a"}
        t.lines += ["", "", *dispatcher(name, methods)]


def _methods_with(t: Translator, node: Node) -> tuple[str, list[Constructor]]:
    """Return the name of the function that a statement is a method of, and all its methods if there are several."""
    head = signature(node)
    name = text(head.named_children[0]) if head is not None else ""
    return name, t.several.get(name, [])


def _top_level(t: Translator, node: Node) -> None:
    lines, holes, kinds = len(t.lines), len(t.holes), dict(t.kinds)
    owner = t.owners.get(place_of(node))
    if owner is not None:
        if place_of(node) != place_of(owner.last):
            t.kinds[owner.name] = "builder"
            return
        try:
            write_struct(t, owner)
            t.announced.discard(owner.name)
            t.kinds[owner.name] = "builder" if owner.is_layer else "record"
            _inner_constructors(t, owner)
            return
        except FileFormatError:
            raise
        except (Unported, *UNUSUAL) as error:
            reason = reason_of(error)
            node, kinds = owner.node, kinds | {owner.name: "unported"}
    elif node.type in ("struct_definition", "module_definition"):
        reason = "a definition of types"
    else:
        try:
            _statement(t, node, False)
            if len(t.holes) == holes or makes_layers(t, node):
                return
            reason = t.holes[holes].reason
        except FileFormatError:
            raise
        except (Unported, *UNUSUAL) as error:
            reason = reason_of(error)
            defines = node.type == "assignment" and signature(node) is not None
            if makes_layers(t, node) and node.type in ("assignment", "call_expression") and not defines:
                del t.lines[lines:], t.holes[holes:]
                t.put(t.hole(node, reason).text)
                return
    del t.lines[lines:], t.holes[holes:]
    t.kinds = kinds
    leave_out(t, node, reason)


def leave_out(t: Translator, node: Node, reason: str) -> None:
    """Mark a statement that is not ported; what it defines raises where it is used."""
    owner = t.owners.get(place_of(node))
    t.holes.append(Hole(line_of(node), one_line(node), reason))
    t.put(remark(f"TODO: not ported: {one_line(node)} ({reason})"))
    if any(t.kinds.get(name, "unported") != "unported" for name in _changed(node)):
        t.put(t.helper("not_ported", [Code(repr(one_line(node)))]).text)  # what it changes would be left as it was
    name, methods = _methods_with(t, node)
    if not is_dispatched(name, methods):  # its other methods may be what is called
        t.kinds |= dict.fromkeys(_defined(node), "unported")
    loaded = text(node).startswith(("@load ", "BSON.@load ", "JLD2.@load "))
    if loaded:  # weights of a model that there is leave its layers what they are
        t.kinds |= {name: "unported" for name in names_in(node) if t.kinds.get(name) != "layer"}
    head = head_of(node)
    stubs = [owner.python, *(entry.python for entry in owner.constructors)] if owner is not None else []
    if head is not None and head.named_children[0].type == "identifier":
        own = [entry.python for entry in methods if place_of(entry.node) == place_of(node) and entry.python]
        stubs = own or [t.name(text(head.named_children[0]))]
    for stub in stubs:  # functions before this place may call them
        t.put(f"def {stub}(*_, **__):")
        t.put(f"    return {t.helper('not_ported', [Code(repr(one_line(node)))]).text}")


def _inner_constructors(t: Translator, owner: Struct) -> None:
    t.making = owner
    try:
        for constructor in owner.constructors[: len(owner.inner)]:
            define(t, constructor.node, mode="build", name=constructor.python)
    finally:
        t.making = None


def changed_in_place(node: Node) -> set[str]:
    """Return the names of what any statement inside changes: its entries, or by a function whose name says so."""
    found: set[str] = set()
    pending = [node]
    while pending:
        node = pending.pop()
        pending += node.named_children
        if node.type in ("assignment", "compound_assignment_expression"):
            target = node.named_children[0]
            found |= names_in(target.named_children[0]) if target.type == "index_expression" else set()
        elif node.type == "call_expression" and last_name(node.named_children[0]).endswith("!"):
            found |= names_in(node)
    return found


def _changed(node: Node) -> set[str]:
    """Return the names that a statement assigns to, or changes in place; training changes no structure."""
    found: set[str] = set()
    if node.type in ("assignment", "compound_assignment_expression") and signature(node) is None:
        found |= names_in(node.named_children[0])
    if node.type in ("call_expression", "broadcast_call_expression"):
        name = last_name(node.named_children[0])
        given = arguments(node).positional if name.endswith("!") and name not in _TRAINING else []
        found |= names_in(given[0]) if given else set()
    return found.union(*map(_changed, node.named_children))


def _defined(node: Node) -> set[str]:
    if node.type in ("const_statement", "macrocall_expression", "macro_argument_list"):
        return set().union(*map(_defined, node.named_children)) if node.named_children else set()
    if node.type == "struct_definition":
        head = next(child for child in node.named_children if child.type == "type_head")
        while head.named_children:
            head = head.named_children[0]
        return {text(head)}
    if node.type in ("function_definition", "assignment"):
        head = signature(node)
        return {text(head.named_children[0])} if head is not None else names_in(node.named_children[0])
    return set()


def _statement(t: Translator, node: Node, last: bool) -> None:
    if node.has_error:
        raise Unported("a syntax error")
    t.layers_used = {}
    kind = node.type
    if kind in _SILENT:
        return
    if kind.endswith("_comment"):
        for line in text(node).strip("#=").splitlines():
            t.put(remark(line.strip()))
    elif kind in ("const_statement", "local_statement"):
        _statement(t, node.named_children[0], last)
    elif kind in ("compound_statement", "let_statement"):
        _let(t, node, last)
    elif kind == "while_statement":
        _while(t, node)
    elif kind == "break_statement" or kind == "continue_statement":
        t.put(kind.partition("_")[0])
    elif kind == "macrocall_expression" and text(node).startswith(_LOGGING):
        t.put(remark(one_line(node)))
        if last:
            t.put("return None")
    elif kind == "call_expression" and last_name(node.named_children[0]) in ("println", "print") and not last:
        t.put(remark(one_line(node)))
    elif kind == "macrocall_expression" and text(node).startswith(("@set! ", "@reset ")):
        _set(t, node)
    elif kind == "function_definition" or (kind == "assignment" and signature(node) is not None):
        _function(t, node)
    elif kind == "assignment":
        _assignment(t, node, last)
    elif kind == "compound_assignment_expression":
        _compound(t, node)
    elif kind == "return_statement":
        value = parts(node)
        known = t.layer if t.mode == "build" else t.code
        _put(t, known(value[0]) if value else Code("None"), "return ")
    elif kind == "if_statement":
        _if(t, node, last)
    elif kind == "for_statement":
        _for(t, node)
    elif kind == "macrocall_expression" and text(node).startswith("@return"):
        _put(t, t.code(node.named_children[-1].named_children[0]), "return ")
    elif kind == "call_expression" and last_name(node.named_children[0]) in ("push!", "append!"):
        _pushed(t, node)
    elif not last and (kind in ("string_literal", "prefixed_string_literal", "identifier") or text(node) == "nothing"):
        return
    elif kind == "binary_expression" and text(parts(node)[1]) in ("&&", "||") and _acts(parts(node)[2]):
        _shortcut(t, node, last)
    elif kind == "ternary_expression" and not last and any(_acts(part) for part in parts(node)[1:]):
        _branches(t, node)
    elif kind == "call_expression" and last_name(node.named_children[0]) in ("error", "throw"):
        t.put(f"raise ValueError({one_line(node)!r})")
    elif kind == "call_expression" and not last and t.indent and _is_own(t, node):
        _put(t, t.code(node), "")
    elif last:
        _put(t, t.layer(node) if t.mode == "build" else t.code(node), "return ")
    elif t.indent == 0 and makes_layers(t, node):
        code = t.layer(node)
        _put(t, code, "model = ")
        t.kinds["model"] = code.kind
    else:
        raise Unported("a statement without a counterpart")


def _put(t: Translator, code: Code, before: str) -> None:
    t.lines += render(code, before, t.indent)


def _assignment(t: Translator, node: Node, last: bool) -> None:
    target, _, *values = parts(node)
    if len(values) != 1:
        raise Unported("an assignment of several values")
    value, names = values[0], names_in(target)
    if names & t.outer - t.locals:
        raise Unported("an assignment to a variable of the function around")
    if target.type == "typed_expression":
        target = target.named_children[0]
        names = names_in(target)
    name = t.name(text(target)) if target.type == "identifier" else ""
    t.locals |= names
    if is_named_tuple(target):
        raise Unported("fields taken out of a struct by their names")
    if name and (value.type == "arrow_function_expression" or text(value).startswith(("@compact", "Lux.@compact"))):
        compact = value.type == "macrocall_expression"
        kind = "layer" if compact else "builder" if makes_layers(t, value) else "function"
        define(t, value, mode="compact" if compact else "array", name=name)
        kind = "initializer" if name in t.initializers else kind
        t.kinds[text(target)] = kind
    else:
        written = t.target(target)
        code = t.layer(value) if makes_layers(t, value) else t.code(value)
        if code.kind == "table" and names & t.changed:  # which what is left out would leave as it is here
            raise Unported("a Dict that is changed later")
        _put(t, code, f"{written.removeprefix('(').removesuffix(')')} = ")
        known = code.kind
        if not name:
            kinds = ["number"] if code.kind == "sizes" else [entry.kind for entry in code.entries]
            t.kinds |= dict.fromkeys(names, kinds[0] if len(set(kinds)) == 1 else "unknown")
        else:
            t.kinds[text(target)] = known
    if last and name:
        t.put(f"return {name}")


def _compound(t: Translator, node: Node) -> None:
    target, operator, value = parts(node)
    symbol = text(operator)
    if target.type != "identifier" or text(target) not in t.kinds or symbol not in ("+=", "-=", "*="):
        raise Unported(f"an assignment with {symbol}")
    if text(target) in t.outer - t.locals:
        raise Unported("an assignment to a variable of the function around")
    code, kind = t.code(value), t.kinds[text(target)]
    if symbol == "*=" and (code.kind, kind) != ("number", "number"):
        raise Unported("a product of what may be matrices")
    name = t.name(text(target))
    _put(t, Code(f"{name} {symbol[0]} {operand(code)}", code.kind), f"{name} = ")


def _function(t: Translator, node: Node) -> None:
    head = signature(node)
    if head is None:
        raise Unported("a method of a struct, or of another module's function")
    name = text(head.named_children[0])
    struct = t.structs.get(name)
    if struct is not None:
        _constructor(t, node, struct)
        return
    methods = t.several.get(name, []) if t.indent == 0 else []
    if any(not entry.python for entry in methods) or (t.indent and name in t.locals & t.methods):
        raise Unported(f"{name} with several methods, which Julia chooses by the arguments' types")
    builds = makes_layers(t, node)
    own = [entry.python for entry in methods if place_of(entry.node) == place_of(node)]
    python = own[0] if own else t.name(name)
    define(t, node, mode="build" if builds else "array", name=python)
    t.methods.add(name)
    t.announced.discard(name)
    t.locals.add(name)
    t.kinds[name] = "initializer" if python in t.initializers else "builder" if builds else "function"


def _constructor(t: Translator, node: Node, struct: Struct) -> None:
    if t.kinds.get(struct.name) == "unported":
        raise Unported(f"{struct.name} was not ported")
    if any(entry.most < 0 for entry in struct.constructors):
        raise Unported(f"{struct.name}, which has constructors by type")
    (found,) = [entry for entry in struct.constructors if place_of(entry.node) == place_of(node)]
    define(t, node, mode="build", name=found.python)


def _is_own(t: Translator, node: Node) -> bool:
    function = node.named_children[0]
    return function.type == "identifier" and t.kinds.get(text(function)) in ("function", "builder")


def _acts(node: Node) -> bool:
    """Whether an expression is there for what it does, not for its value."""
    if node.type == "call_expression":
        name = last_name(node.named_children[0])
        return name.endswith("!") or name in ("error", "print", "println", "throw")
    if node.type == "macrocall_expression":
        return text(node).startswith(_LOGGING)
    return node.type in ("return_statement", "assignment", "break_statement", "continue_statement")


def _shortcut(t: Translator, node: Node, last: bool) -> None:
    """``condition && act``, and ``condition || act``."""
    left, operator, right = parts(node)
    condition = t.code(left)
    if condition.kind not in ("flag", "unknown"):
        raise Unported("a condition that is no flag")
    negated = "not " if text(operator) == "||" else ""
    t.put(f"if {negated}{operand(condition) if negated else condition.text}:")
    _indented(t, [right], False)
    if last:
        t.put("return None")


def _branches(t: Translator, node: Node) -> None:
    """``condition ? act : act``."""
    test, yes, no = parts(node)
    condition = t.code(test)
    if condition.kind not in ("flag", "unknown"):
        raise Unported("a condition that is no flag")
    for head, body in ((f"if {condition.text}:", yes), ("else:", no)):
        t.put(head)
        _indented(t, [] if text(body) == "nothing" else [body], False)


def _let(t: Translator, node: Node, last: bool) -> None:
    """Statements of a block of their own; Julia's new variables must not be names that there are."""
    bindings = [child for child in node.named_children if child.type == "let_binding"]
    body = [child for child in node.named_children if child.type != "let_binding"]
    for entry in bindings:
        names = names_in(entry.named_children[0])
        if names & (set(t.kinds) | t.locals):
            raise Unported("a let of names that are taken")
        _assignment(t, entry, False)
    if node.type == "let_statement":
        assigned = set().union(*(names_in(child.named_children[0]) for child in body if child.type == "assignment"))
        if assigned & set(t.kinds) - t.locals:
            raise Unported("a let of names that are taken")
    block(t, body, returns=last)


def _while(t: Translator, node: Node) -> None:
    condition, *body = parts(node)
    code = t.code(condition)
    if code.kind not in ("flag", "unknown"):
        raise Unported("a condition that is no flag")
    fleeting = t.fleeting
    t.fleeting |= _assigned(body)
    t.put(f"while {code.text}:")
    try:
        _indented(t, body, False)
    finally:
        t.fleeting = fleeting


def _set(t: Translator, node: Node) -> None:
    """``@set! st.a = b``: a named tuple with another entry."""
    (given,) = node.named_children[-1].named_children
    target, _, value = given.named_children
    base, field = target.named_children
    if base.type != "identifier" or t.kinds.get(text(base)) != "tree":
        raise Unported("a change in something that is no named tuple")
    name = t.name(text(base))
    _put(t, Code(f"{{**{name}, {text(field)!r}: {t.code(value).text}}}"), f"{name} = ")


def _assigned(body: Sequence[Node]) -> set[str]:
    """Return the names that statements assign to."""
    kinds = ("assignment", "compound_assignment_expression")
    return set().union(*(names_in(child.named_children[0]) for child in body if child.type in kinds))


def _if(t: Translator, node: Node, last: bool) -> None:
    condition, *rest = parts(node)
    clauses = [child for child in rest if child.type in ("elseif_clause", "else_clause")]
    branches: list[tuple[str, Node | None, list[Node]]] = [
        ("if", condition, [child for child in rest if child not in clauses])
    ]
    for clause in clauses:
        inner = parts(clause)
        if clause.type == "elseif_clause":
            branches.append(("elif", inner[0], inner[1:]))
        else:
            branches.append(("else", None, inner))
    for word, test, body in branches:
        if test is not None:
            code = t.code(test)
            if code.kind not in ("flag", "unknown"):
                raise Unported("a condition that is no flag")
            t.put(f"{word} {code.text}:")
        else:
            t.put("else:")
        _indented(t, body, last)


def _for(t: Translator, node: Node) -> None:
    bindings = [child for child in node.named_children if child.type == "for_binding"]
    body = [child for child in node.named_children if child.type != "for_binding"]
    fleeting, indent, renamed = t.fleeting, t.indent, t.renamed
    before, own = dict(t.kinds), set(t.locals)
    t.fleeting |= _assigned(body)
    looped: set[str] = set()
    try:
        for position, entry in enumerate(bindings):
            variable, over, kinds = binding(t, entry)
            for name in sorted(names_in(variable) & set(t.kinds)):  # Julia's is another, and ends with the loop
                t.rename(name)
            looped |= names_in(variable)
            t.fleeting |= names_in(variable)
            t.locals |= names_in(variable)
            t.kinds |= kinds
            t.indent = indent + 4 * position
            t.put(f"for {t.target(variable).removeprefix('(').removesuffix(')')} in {over}:")
        _indented(t, body, False)
    finally:
        t.fleeting, t.indent, t.renamed = fleeting, indent, renamed
        t.locals -= looped - own
        t.kinds = {name: kind for name, kind in t.kinds.items() if name not in looped}
        t.kinds |= {name: before[name] for name in looped & set(before)}


def _indented(t: Translator, body: Sequence[Node], last: bool) -> None:
    t.indent += 4
    count = len(t.lines)
    try:
        block(t, body, returns=last)
        if not any(not line.lstrip().startswith("#") for line in t.lines[count:]):
            t.put("pass")
    finally:
        t.indent -= 4


def _pushed(t: Translator, node: Node) -> None:
    given = arguments(node)
    given.only()
    if len(given.positional) < 2 or last_name(given.positional[0]) not in t.kinds:
        raise Unported("push! of other than layers")
    listed, *values = given.positional
    for value in values:
        _pushed_one(t, node, listed, value)


def _pushed_one(t: Translator, node: Node, listed: Node, value: Node) -> None:
    method = "append" if last_name(node.named_children[0]) == "push!" else "extend"
    code = t.layer(value)
    t.lines += render(
        Code(f"{code.text})", opening=code.opening, entries=code.entries, closing=f"{code.closing})"),
        f"{t.code(listed).text}.{method}(",
        t.indent,
    )
