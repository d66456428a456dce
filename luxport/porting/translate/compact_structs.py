"""Translate Flux's structs into functions that make a `compact` layer."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.porting.translate.definitions import split_definition, write_body
from luxport.porting.translate.parameters import Parameters, find_taken_by_field, write_parameters
from luxport.porting.translate.parse import Unported, read_text
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.struct_methods import (
    bind_fields,
    read_field_kind,
    read_receiver_name,
    write_fields,
    write_methods,
)
from luxport.porting.translate.structs import Struct
from luxport.porting.translate.writing import Code, group, name_field, write_named

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["write_compact"]


_LAYERS = {"Chain", "Conv", "Dense", "Embedding", "LayerNorm", "BatchNorm", "Parallel", "MultiHeadAttention"}
_LAYERS |= {"Function"}
"""Declared types of fields that hold a layer or a function."""
_PLAIN_TYPES = {"Function", "Int", "Integer", "Int64", "Bool", "String", "Symbol", "Float32", "Float64", "Real"}
"""Declared types of fields that hold nothing trainable."""


def write_compact(here: Scope, struct: Struct) -> None:
    """Write a function that takes the fields of a struct and returns a `compact` layer."""
    fields = {name: name_field(name) for name in struct.fields}
    if len(set(fields.values())) < len(fields) or {"choose", "forward", "inputs"} & {*fields.values()}:
        raise Unported("fields whose Python names would be equal")
    here.add_line(f"def {struct.python}({', '.join(write_fields(here, struct))}):")
    inside = here.open_block(reserved=frozenset(fields.values()))
    inside.add_line(f'"""Make Julia\'s struct {struct.python} from its fields."""')
    inside.add_line("")
    held = [write_named(fields[name], _write_field_value(here, struct, name)) for name in struct.fields]
    inside.add_code("@", group("luxport.compact(", [Code(repr(struct.name)), *held], ")"))
    own = {name: Code(fields[name], read_field_kind(struct, name) or "bound") for name in fields}
    keywords = ", ".join(["*", *fields.values()] if fields else [])
    if len(struct.forwards) == 1:
        _write_forward(inside, struct.forwards[0], own, "forward", keywords)
    else:
        inside.add_line(f"def forward({', '.join(['inputs', keywords] if keywords else ['inputs'])}):")
        write_methods(inside, struct, lambda method, node, name: _write_forward(method, node, own, name, ""), "")
    inside.add_line("")
    inside.add_line("return forward")


def _write_forward(here: Scope, forward: Node, own: dict[str, Code], name: str, keywords: str) -> None:
    """Write a forward method as a function of one input."""
    parameters, body = split_definition(forward)
    if here.source.dialect != "flux" and len(parameters) == 3:
        raise Unported("a forward method with three arguments, of which two may be Lux's ps and st")
    method = bind_fields(here, forward, own)
    given = _write_inputs(method, parameters, find_taken_by_field(body))
    head = f"def {name}({', '.join([*given.listed, keywords] if keywords else given.listed)}):"
    write_body(method, head, body, "array", given)


def _write_field_value(here: Scope, struct: Struct, name: str) -> Code:
    """Return a field as the layer stores it: vectors of numbers as tuples, untrained layers and arrays frozen."""
    code = Code(name_field(name))
    kind = struct.read_type(name)
    called = any(
        f"{(receiver := read_receiver_name(forward))}.{name}(" in read_text(forward)
        or f"|> {receiver}.{name}" in read_text(forward)
        for forward in struct.forwards
    )
    if struct.trainable is not None and name not in struct.trainable and kind not in _PLAIN_TYPES:
        return Code(
            here.call_helper("freeze_field", [code if called else here.call_helper("make_tuples", [code])]).text
        )
    if called or read_field_kind(struct, name) in ("number", "flag", "text") or kind in _LAYERS:
        return code
    return Code(here.call_helper("make_tuples", [code]).text)


def _write_inputs(here: Scope, parameters: list[Node], with_fields: Set[str]) -> Parameters:
    """Return the parameters of a layer's call: one input, which is unpacked if Julia's method has several."""
    split = next((i for i, node in enumerate(parameters) if node.type == ";"), len(parameters))
    positional, options = parameters[:split], parameters[split + 1 :]
    for node in [*positional, *options]:
        if node.type == "splat_expression":
            raise Unported("a forward method of any number of arguments")
    optional = [node for node in positional if node.type in ("named_argument", "assignment")]
    taken = [node for node in positional if node not in optional]
    if not taken:
        raise Unported("a forward method without an input")
    given = write_parameters(here, taken, "array", with_fields)
    listed, opening = given.listed, given.opening
    if len(listed) > 1:
        opening = [f"{', '.join(listed)} = inputs", *opening]
        listed = ["inputs"]
    names, inside = set(given.names), replace(here, kinds=given.kinds)
    for node in [*optional, *options]:
        if node.type not in ("named_argument", "named_field", "assignment"):
            raise Unported("a forward method with a keyword that has no default")
        default = inside.write(node.named_children[-1])
        name = node.named_children[0]
        name = name.named_children[0] if name.type == "typed_expression" else name
        opening = [*opening, f"{here.spell(read_text(name))} = {default.text}"]
        inside = inside.bind({read_text(name): default.kind})
        names.add(read_text(name))
    return replace(given, listed=listed, opening=opening, names=names, kinds=inside.kinds)
