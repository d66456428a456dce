"""Structs that are layers, as Python: Flux's as functions that make a `compact` layer, Lux's as classes."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.core.layer import Layer
from luxport.porting.translate.definitions import (
    Parameters,
    kind_of_type,
    parameters_and_body,
    taken_by_field,
    write_body,
    written_parameters,
)
from luxport.porting.translate.drawn import arrays_drawn
from luxport.porting.translate.methods import fitting, is_foreign, ordered
from luxport.porting.translate.parse import Unported, head_of, names_in, text
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.signatures import Method, method_of
from luxport.porting.translate.structs import Struct, place_of
from luxport.porting.translate.writing import Code, field_name, group, named

if TYPE_CHECKING:
    from tree_sitter import Node


__all__ = ["write_struct"]

_LAYERS = {
    "Chain",
    "Conv",
    "Dense",
    "Embedding",
    "LayerNorm",
    "BatchNorm",
    "Parallel",
    "MultiHeadAttention",
    "Function",
}
_FUNCTIONS = {"Function", "Int", "Integer", "Int64", "Bool", "String", "Symbol", "Float32", "Float64", "Real"}


def write_struct(here: Scope, struct: Struct) -> Scope:
    """Write a struct, with its forward method, and return the scope of what follows.

    Raises: Unported
    """
    struct.forwards = [node for node in struct.forwards if not _gathers(node)] or struct.forwards
    if len(struct.forwards) > 1 and not _forwards(struct):
        _leave_out_foreign(here, struct)
    if len(struct.forwards) > 1 and not _forwards(struct):
        raise Unported(f"{struct.name} with several methods, which Julia chooses by the arguments' types")
    if not struct.fields and struct.inner:
        raise Unported("a struct without fields that has constructors")
    if not struct.forwards and struct.base == "WrapperLayer" and struct.fields and not struct.inner:
        _class(here, struct)  # which calls what it wraps
    elif not struct.forwards:
        return _record(here, struct)
    elif struct.base:
        _class(here, struct)
    else:
        _compact(here, struct)
    return here


def _gathers(forward: Node) -> bool:
    """Whether a method is ``(m::M)(xs...) = m(xs)`` or takes a tuple apart: a layer's inputs are one tuple anyway."""
    head = head_of(forward)
    parameters, body = parameters_and_body(forward)
    if head is None or len(parameters) != 1 or len(body) != 1:
        return False
    receiver = text(head.named_children[0].named_children[0].named_children[0])
    said = "".join(text(body[0]).split()).removeprefix("return")
    given = text(parameters[0]).partition("::")[0]
    name = given.removesuffix("...")
    if parameters[0].type == "splat_expression":
        return said == f"{receiver}({name})"
    entries = "".join(given.split()).removeprefix("(").removesuffix(")")
    return said == f"{receiver}({name}...)" or ("," in entries and said == f"{receiver}({entries})")


def _leave_out_foreign(here: Scope, struct: Struct) -> None:
    """Mark the methods that take another package's types, if others are left whose types are known."""
    defined = {*here.kinds, *here.source.structs, *here.source.types}
    foreign = [node for node in struct.forwards if is_foreign(method_of(node), defined)]
    rest = [node for node in struct.forwards if node not in foreign]
    if rest and all(all(method_of(node).declared[: 1 if struct.base else None]) for node in rest):
        for node in foreign:
            here.mark_hole(node, "a method for another package's types")
        struct.forwards = rest


def _forwards(struct: Struct) -> list[Method]:
    """Return several methods of a struct in the order in which they are to be asked; none if that is not known.

    One of several arguments is called with a tuple of them, so one of a tuple could not be told from it.
    """
    entries = [method_of(node) for node in struct.forwards]
    if struct.base:  # ps and st say nothing
        entries = [
            replace(entry, least=1, most=1, declared=entry.declared[:1]) for entry in entries if entry.least == 3
        ]
    single = [entry for entry in entries if entry.most == 1]
    tuples = any(entry.declared[0].partition("{")[0] in ("Tuple", "NTuple") for entry in single)
    if len(entries) < len(struct.forwards) or (tuples and len(single) < len(entries)):
        return []
    return ordered(entries)


def _put_methods(here: Scope, struct: Struct, write: Callable[[Scope, Node, str], None], more: str) -> None:
    """Write several forward methods, and what calls the one of them that Julia would choose; `more` are ps and st."""
    names = {place_of(node): f"method_{i}" for i, node in enumerate(struct.forwards, 1)}
    inside = here.indented(reserved=here.reserved | {"choose", *names.values()})
    for node in struct.forwards:
        receiver = _receiver(node)
        method = inside.binding({receiver: "function" if more else "again"})
        write(replace(method, renamed={**here.renamed, receiver: "choose"}), node, names[place_of(node)])
        inside.put("")
    entries = _forwards(struct)
    several = any(entry.most > 1 for entry in entries)
    here.output.helpers |= {"fits", "is_a"} | ({"as_several"} if several else set())
    inside.put(f"def choose(inputs{more}):")
    for entry in entries:
        inside.put(f"    if {fitting('as_several(inputs)' if several else '(inputs,)', entry)}:")
        inside.put(f"        return {names[place_of(entry.node)]}(inputs{more})")
    inside.put("    raise ValueError('no method takes these inputs')")
    inside.put("")
    inside.put(f"return choose(inputs{more})")


def _record(here: Scope, struct: Struct) -> Scope:
    """A struct that is no layer, but holds options: a dataclass."""
    if struct.base or struct.marks or struct.inner:
        raise Unported("a struct without a forward method")
    for name in struct.fields:
        if name not in struct.defaults and not _kind(struct, name):
            raise Unported("a struct without a forward method, whose fields may hold anything")
    lines = [f'    """Julia\'s struct {struct.python}."""', ""]
    known = dict(here.record_fields)
    if not struct.fields:
        raise Unported("an empty struct")
    for name in struct.fields:
        kind = _kind(struct, name) or "unknown"
        line = f"    {field_name(name)}: object"
        if name in struct.defaults:
            node = struct.defaults[name]
            if names_in(node) & set(struct.fields):
                raise Unported("a default that another field gives")
            before, holes = here.piece.mark()
            value = here.code(node)
            if len(here.piece.holes) > holes:  # Python would raise where the class is defined, used or not
                del here.piece.lines[before:]
                value = Code(f"dataclasses.field(default_factory=lambda: {value.text})")
            elif value.text.startswith(("[", "{")):
                value = Code(f"dataclasses.field(default_factory=lambda: {value.text})", value.kind)
            kind = kind if kind != "unknown" else value.kind
            line += f" = {value.text}"
        known[name] = kind if known.get(name, kind) == kind else "unknown"
        lines.append(line)
    order = "(kw_only=True)" if struct.by_keyword else ""
    here.put(f"@dataclasses.dataclass{order}")
    here.put(f"class {struct.python}:")
    here.piece.lines += lines
    return replace(here, record_fields=known)


def _kind(struct: Struct, name: str) -> str:
    node = struct.fields[name]
    return kind_of_type(text(node)) if node is not None else ""


def _fields(here: Scope, struct: Struct) -> list[str]:
    """Return what stands in the head of a constructor that takes the fields."""
    if not struct.by_keyword:
        return [field_name(name) for name in struct.fields]
    listed = []
    for name in struct.fields:
        if name not in struct.defaults:
            listed.append(field_name(name))
            continue
        if names_in(struct.defaults[name]) & set(struct.fields):
            raise Unported("a default that another field gives")
        listed.append(f"{field_name(name)}={here.code(struct.defaults[name]).text}")
    return ["*", *listed]


def _receiver(forward: Node) -> str:
    head = head_of(forward)
    assert head is not None
    typed = head.named_children[0].named_children[0]
    return text(typed.named_children[0]) if len(typed.named_children) == 2 else ""


def _compact(here: Scope, struct: Struct) -> None:
    fields = {name: field_name(name) for name in struct.fields}
    if (
        len(set(fields.values())) < len(fields)
        or "inputs" in fields.values()
        or {"choose", "forward"} & {*fields.values()}
    ):
        raise Unported("fields whose names Python cannot tell apart")
    here.put(f"def {struct.python}({', '.join(_fields(here, struct))}):")
    inside = here.indented(reserved=frozenset(fields.values()))
    inside.put(f'"""Make Julia\'s struct {struct.python} from its fields."""')
    inside.put("")
    held = [named(fields[name], _hold(here, struct, name)) for name in struct.fields]
    inside.put_code("@", group("luxport.compact(", [Code(repr(struct.name)), *held], ")"))
    own = {name: Code(fields[name], _kind(struct, name) or "bound") for name in fields}
    keywords = ", ".join(["*", *fields.values()] if fields else [])
    if len(struct.forwards) == 1:
        _put_forward(inside, struct.forwards[0], own, "forward", keywords)
    else:
        inside.put(f"def forward({', '.join(['inputs', keywords] if keywords else ['inputs'])}):")
        _put_methods(inside, struct, lambda method, node, name: _put_forward(method, node, own, name, ""), "")
    inside.put("")
    inside.put("return forward")


def _put_forward(here: Scope, forward: Node, own: dict[str, Code], name: str, keywords: str) -> None:
    """Write a forward method as a function of one input."""
    parameters, body = parameters_and_body(forward)
    if here.source.dialect != "flux" and len(parameters) == 3:
        raise Unported("a forward method with three arguments, of which two may be Lux's ps and st")
    method = _with_fields(here, forward, own)
    given = _inputs(method, parameters, taken_by_field(body))
    head = f"def {name}({', '.join([*given.listed, keywords] if keywords else given.listed)}):"
    write_body(method, head, body, "array", given)


def _with_fields(here: Scope, method: Node, own: dict[str, Code]) -> Scope:
    """Return the scope of a method, in which the fields of its struct are these."""
    receiver = _receiver(method)
    return replace(here, fields={receiver: own} if receiver else {})


def _hold(here: Scope, struct: Struct, name: str) -> Code:
    """Return a field as a layer holds it: vectors of numbers as tuples."""
    code = Code(field_name(name))
    kind = struct.type_of(name)
    called = any(
        f"{(receiver := _receiver(forward))}.{name}(" in text(forward) or f"|> {receiver}.{name}" in text(forward)
        for forward in struct.forwards
    )
    if struct.trainable is not None and name not in struct.trainable and kind not in _FUNCTIONS:
        return Code(here.helper("untrained", [code if called else here.helper("constant", [code])]).text)
    if called or _kind(struct, name) in ("number", "flag", "text") or kind in _LAYERS:
        return code
    return Code(here.helper("constant", [code]).text)


def _inputs(here: Scope, parameters: list[Node], with_fields: Set[str]) -> Parameters:
    """Return the one input of a layer, and what takes it apart if Julia's has several."""
    split = next((i for i, node in enumerate(parameters) if node.type == ";"), len(parameters))
    positional, options = parameters[:split], parameters[split + 1 :]
    for node in [*positional, *options]:
        if node.type == "splat_expression":
            raise Unported("a forward method of any number of arguments")
    optional = [node for node in positional if node.type in ("named_argument", "assignment")]
    taken = [node for node in positional if node not in optional]
    if not taken:
        raise Unported("a forward method without an input")
    given = written_parameters(here, taken, "array", with_fields)
    listed, opening = given.listed, given.opening
    if len(listed) > 1:
        opening = [f"{', '.join(listed)} = inputs", *opening]
        listed = ["inputs"]
    names, inside = set(given.names), replace(here, kinds=given.kinds)
    for node in [*optional, *options]:
        if node.type not in ("named_argument", "named_field", "assignment"):
            raise Unported("a forward method with a keyword that has no default")
        default = inside.code(node.named_children[-1])
        name = node.named_children[0]
        name = name.named_children[0] if name.type == "typed_expression" else name
        opening = [*opening, f"{here.name(text(name))} = {default.text}"]
        inside = inside.binding({text(name): default.kind})
        names.add(text(name))
    return replace(given, listed=listed, opening=opening, names=names, kinds=inside.kinds)


def _class(here: Scope, struct: Struct) -> None:
    if struct.base == "Layer" and not struct.parameters and set(struct.fields) & {"layer", "model"}:
        raise Unported("a layer around another that is none of Lux's containers")
    here.put(f"class {struct.python}(luxport.{struct.base}):")
    inside = here.indented()
    inside.put(f'"""Julia\'s struct {struct.python}."""')
    inside.put("")
    for name in struct.fields:
        if not name.isidentifier() or field_name(name) != name or name in dir(Layer):
            raise Unported(f"a field named {name}")
        default = f" = {inside.code(struct.defaults[name]).text}" if name in struct.defaults else ""
        inside.put(f"{name}: object{default}")
    own = {name: Code(f"self.{name}", _kind(struct, name) or "part") for name in struct.fields}
    for kind, methods in (("initial_parameters", struct.parameters), ("initial_states", struct.states)):
        if len(methods) > 1:
            raise Unported(f"{struct.name} with several methods")
        for method in methods:
            _initial(inside, method, own, kind)
    if struct.forwards and (struct.fields or struct.parameters or struct.states):
        inside.put("")
    if len(struct.forwards) == 1:
        _put_call(inside, struct.forwards[0], own, "__call__", "self, ")
    elif struct.forwards:
        inside.put("def __call__(self, inputs, ps, st):")
        _put_methods(inside, struct, lambda method, node, name: _put_call(method, node, own, name, ""), ", ps, st")


def _put_call(here: Scope, forward: Node, own: dict[str, Code], name: str, before: str) -> None:
    """Write a forward method of Lux's."""
    parameters, body = parameters_and_body(forward)
    if len(parameters) != 3 or any(node.type not in ("identifier", "typed_expression") for node in parameters[1:]):
        raise Unported("a forward method of Lux takes x, ps and st")
    method = _with_fields(here, forward, own)
    trees = [text(node if node.type == "identifier" else node.named_children[0]) for node in parameters[1:]]
    given = written_parameters(method, parameters, "array", taken_by_field(body) - {*trees})
    given = replace(given, kinds=given.kinds.adding(dict.fromkeys(trees, "tree")))
    write_body(method, f"def {name}({before}{', '.join(given.listed)}):", body, "lux", given)


def _initial(here: Scope, method: Node, own: dict[str, Code], name: str) -> None:
    """Lux's ``initialparameters`` or ``initialstates``: arrays that are drawn when a model is set up."""
    parameters, body = parameters_and_body(method)
    body = [node for node in body if not node.type.endswith("_comment")]
    if len(parameters) != 2 or len(body) != 1:
        raise Unported("initial values by more than one expression")
    value = body[0].named_children[-1] if body[0].type == "return_statement" else body[0]
    last = parameters[-1]
    receiver = text(last.named_children[0]) if len(last.named_children) == 2 else ""
    here.put("")
    here.put(f"def {name}(self, rng):")
    drawn = arrays_drawn(replace(here, fields={receiver: own} if receiver else {}), value)
    here.indented().put_code("return ", drawn)
