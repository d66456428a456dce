"""Structs that are layers, as Python: Flux's as functions that make a `compact` layer, Lux's as classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luxport.core.layer import Layer
from luxport.porting.translate.definitions import (
    kind_of_type,
    names_of,
    parameters_and_body,
    write_body,
    written_parameters,
)
from luxport.porting.translate.drawn import arrays_drawn
from luxport.porting.translate.parse import Unported, head_of, names_in, text
from luxport.porting.translate.structs import Struct
from luxport.porting.translate.translator import Translator
from luxport.porting.translate.writing import Code, field_name, named, render

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


def write_struct(t: Translator, struct: Struct) -> None:
    """Write a struct, with its forward method.

    Raises: Unported
    """
    struct.forwards = [node for node in struct.forwards if not _gathers(node)] or struct.forwards
    if len(struct.forwards) > 1:
        raise Unported(f"{struct.name} with several methods, which Julia chooses by the arguments' types")
    if not struct.fields and struct.inner:
        raise Unported("a struct without fields that has constructors")
    if not struct.forwards:
        _record(t, struct)
    elif struct.base:
        _class(t, struct)
    else:
        _compact(t, struct)


def _gathers(forward: Node) -> bool:
    """Whether a method is ``(m::M)(xs...) = m(xs)``: a layer's inputs are one tuple here anyway."""
    head = head_of(forward)
    parameters, body = parameters_and_body(forward)
    if head is None or len(parameters) != 1 or parameters[0].type != "splat_expression" or len(body) != 1:
        return False
    receiver = text(head.named_children[0].named_children[0].named_children[0])
    name = text(parameters[0].named_children[0]).partition("::")[0]
    return "".join(text(body[0]).split()) in (f"{receiver}({name})", f"return{receiver}({name})")


def _record(t: Translator, struct: Struct) -> None:
    """A struct that is no layer, but holds options: a dataclass."""
    if struct.base or struct.marks or struct.inner:
        raise Unported("a struct without a forward method")
    for name in struct.fields:
        if name not in struct.defaults and not _kind(struct, name):
            raise Unported("a struct without a forward method, whose fields may hold anything")
    lines = [f'    """Julia\'s struct {struct.python}."""', ""]
    if not struct.fields:
        raise Unported("an empty struct")
    for name in struct.fields:
        kind = _kind(struct, name) or "unknown"
        line = f"    {field_name(name)}: object"
        if name in struct.defaults:
            node = struct.defaults[name]
            if names_in(node) & set(struct.fields):
                raise Unported("a default that another field gives")
            holes, before = len(t.holes), len(t.lines)
            value = t.code(node)
            if len(t.holes) > holes:  # Python would raise where the class is defined, used or not
                del t.lines[before:]
                value = Code(f"dataclasses.field(default_factory=lambda: {value.text})")
            elif value.text.startswith(("[", "{")):
                value = Code(f"dataclasses.field(default_factory=lambda: {value.text})", value.kind)
            kind = kind if kind != "unknown" else value.kind
            line += f" = {value.text}"
        t.record_fields[name] = kind if t.record_fields.get(name, kind) == kind else "unknown"
        lines.append(line)
    order = "(kw_only=True)" if struct.by_keyword else ""
    t.put(f"@dataclasses.dataclass{order}")
    t.put(f"class {struct.python}:")
    t.lines += lines
    t.kinds[struct.name] = "record"


def _kind(struct: Struct, name: str) -> str:
    node = struct.fields[name]
    return kind_of_type(text(node)) if node is not None else ""


def _fields(t: Translator, struct: Struct) -> list[str]:
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
        listed.append(f"{field_name(name)}={t.code(struct.defaults[name]).text}")
    return ["*", *listed]


def _check_trainable(struct: Struct) -> None:
    for name in struct.fields:
        left_out = struct.trainable is not None and name not in struct.trainable
        if left_out and struct.type_of(name) not in _FUNCTIONS:
            raise Unported(
                f"{struct.name} trains only some of its fields: see luxport.freeze and luxport.non_trainable"
            )


def _receiver(t: Translator, forward: Node) -> str:
    head = head_of(forward)
    assert head is not None
    typed = head.named_children[0].named_children[0]
    return text(typed.named_children[0]) if len(typed.named_children) == 2 else ""


def _compact(t: Translator, struct: Struct) -> None:
    _check_trainable(struct)
    (forward,) = struct.forwards
    fields = {name: field_name(name) for name in struct.fields}
    if len(set(fields.values())) < len(fields) or "inputs" in fields.values() or "forward" in fields.values():
        raise Unported("fields whose names Python cannot tell apart")
    t.put(f"def {struct.python}({', '.join(_fields(t, struct))}):")
    t.indent += 4
    saved = t.receivers, t.reserved, dict(t.kinds)
    try:
        t.put(f'"""Make Julia\'s struct {struct.python} from its fields."""')
        t.put("")
        bound = [named(fields[name], _held(t, struct, forward, name)) for name in struct.fields]
        title = Code(repr(struct.name))
        head = Code(
            f"luxport.compact({', '.join(entry.text for entry in [title, *bound])})",
            opening="luxport.compact(",
            entries=(title, *bound),
            closing=")",
        )
        t.lines += render(head, "@", t.indent)
        receiver = _receiver(t, forward)
        kinds = {name: _kind(struct, name) or "bound" for name in fields}
        t.receivers = {receiver: {name: Code(fields[name], kinds[name]) for name in fields}} if receiver else {}
        t.reserved = frozenset(fields.values())
        parameters, body = parameters_and_body(forward)
        if t.dialect != "flux" and len(parameters) == 3:
            raise Unported("a forward method with three arguments, of which two may be Lux's ps and st")
        listed, first, opening = _inputs(t, parameters)
        keywords = ["*", *fields.values()] if fields else []
        inner = f"def forward({', '.join([*listed, *keywords])}):"
        write_body(t, inner, body, "compact", first, opening, names_of(parameters))
        t.put("")
        t.put("return forward")
    finally:
        t.receivers, t.reserved, t.kinds = saved
        t.indent -= 4


def _held(t: Translator, struct: Struct, forward: Node, name: str) -> Code:
    """Return a field as a layer holds it: vectors of numbers as tuples."""
    code, receiver = Code(field_name(name)), _receiver(t, forward)
    kind = struct.type_of(name)
    called = f"{receiver}.{name}(" in text(forward) or f"|> {receiver}.{name}" in text(forward)
    if called or _kind(struct, name) in ("number", "flag", "text") or kind in _LAYERS:
        return code
    return Code(t.helper("constant", [code]).text)


def _inputs(t: Translator, parameters: list[Node]) -> tuple[list[str], str, list[str]]:
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
    written, first, opening = written_parameters(t, taken, "array")
    if len(written) > 1:
        opening = [f"{', '.join(written)} = inputs", *opening]
        written = ["inputs"]
    for node in [*optional, *options]:
        if node.type not in ("named_argument", "named_field", "assignment"):
            raise Unported("a forward method with a keyword that has no default")
        default = t.code(node.named_children[-1])
        name = node.named_children[0]
        name = name.named_children[0] if name.type == "typed_expression" else name
        opening.append(f"{t.name(text(name))} = {default.text}")
        t.kinds[text(name)] = default.kind
    return written, first, opening


def _class(t: Translator, struct: Struct) -> None:
    (forward,) = struct.forwards
    if struct.base == "Layer" and not struct.parameters and set(struct.fields) & {"layer", "model"}:
        raise Unported("a layer around another that is none of Lux's containers")
    t.put(f"class {struct.python}(luxport.{struct.base}):")
    t.indent += 4
    saved = t.receivers, dict(t.kinds)
    try:
        t.put(f'"""Julia\'s struct {struct.python}."""')
        t.put("")
        for name in struct.fields:
            if not name.isidentifier() or field_name(name) != name or name in dir(Layer):
                raise Unported(f"a field named {name}")
            default = f" = {t.code(struct.defaults[name]).text}" if name in struct.defaults else ""
            t.put(f"{name}: object{default}")
        own = {name: Code(f"self.{name}", _kind(struct, name) or "part") for name in struct.fields}
        for kind, methods in (("initial_parameters", struct.parameters), ("initial_states", struct.states)):
            if len(methods) > 1:
                raise Unported(f"{struct.name} with several methods")
            for method in methods:
                _initial(t, method, own, kind)
        receiver = _receiver(t, forward)
        t.receivers = {receiver: own} if receiver else {}
        parameters, body = parameters_and_body(forward)
        if len(parameters) != 3 or any(node.type not in ("identifier", "typed_expression") for node in parameters[1:]):
            raise Unported("a forward method of Lux takes x, ps and st")
        listed, first, opening = written_parameters(t, parameters, "array")
        for node in parameters[1:]:
            t.kinds[text(node if node.type == "identifier" else node.named_children[0])] = "tree"
        if struct.fields or struct.parameters or struct.states:
            t.put("")
        head = f"def __call__({', '.join(['self', *listed])}):"
        write_body(t, head, body, "lux", first, opening, names_of(parameters))
    finally:
        t.receivers, t.kinds = saved
        t.indent -= 4


def _initial(t: Translator, method: Node, own: dict[str, Code], name: str) -> None:
    """Lux's ``initialparameters`` or ``initialstates``: arrays that are drawn when a model is set up."""
    parameters, body = parameters_and_body(method)
    body = [node for node in body if not node.type.endswith("_comment")]
    if len(parameters) != 2 or len(body) != 1:
        raise Unported("initial values by more than one expression")
    value = body[0].named_children[-1] if body[0].type == "return_statement" else body[0]
    last = parameters[-1]
    receiver = text(last.named_children[0]) if len(last.named_children) == 2 else ""
    t.receivers = {receiver: own} if receiver else {}
    t.put("")
    t.put(f"def {name}(self, rng):")
    code = arrays_drawn(t, value)
    t.lines += render(code, "return ", t.indent + 4)
