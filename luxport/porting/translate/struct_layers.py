"""Translate structs that are layers: Flux's into functions that make a `compact` layer, Lux's into classes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.core.layer import Layer
from luxport.porting.translate.compact_structs import write_compact
from luxport.porting.translate.definitions import split_definition, write_body
from luxport.porting.translate.drawn_arrays import write_drawn_arrays
from luxport.porting.translate.methods import is_foreign
from luxport.porting.translate.parameters import find_taken_by_field, write_parameters
from luxport.porting.translate.parse import Unported, find_head, find_names, read_text
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.signatures import read_method
from luxport.porting.translate.struct_methods import bind_fields, find_forwards, read_field_kind, write_methods
from luxport.porting.translate.structs import Struct
from luxport.porting.translate.writing import Code, name_field

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["write_struct"]


def write_struct(here: Scope, struct: Struct) -> Scope:
    """Write a struct with its forward methods, and return the scope after it.

    Raises: Unported if it cannot be translated
    """
    struct.forwards = [node for node in struct.forwards if not _is_tuple_forwarder(node)] or struct.forwards
    if len(struct.forwards) > 1 and not find_forwards(struct):
        _leave_out_foreign(here, struct)
    if len(struct.forwards) > 1 and not find_forwards(struct):
        raise Unported(f"{struct.name} with several methods, which Julia chooses by the arguments' types")
    if not struct.fields and struct.inner:
        raise Unported("a struct without fields that has constructors")
    if not struct.forwards and struct.base == "WrapperLayer" and struct.fields and not struct.inner:
        _write_class(here, struct)  # its forward method is inherited
    elif not struct.forwards:
        return _write_record(here, struct)
    elif struct.base:
        _write_class(here, struct)
    else:
        write_compact(here, struct)
    return here


def _is_tuple_forwarder(forward: Node) -> bool:
    """Return whether a method only packs or unpacks a tuple, ``(m::M)(xs...) = m(xs)``: inputs are one tuple anyway."""
    head = find_head(forward)
    parameters, body = split_definition(forward)
    if head is None or len(parameters) != 1 or len(body) != 1:
        return False
    receiver = read_text(head.named_children[0].named_children[0].named_children[0])
    said = "".join(read_text(body[0]).split()).removeprefix("return")
    given = read_text(parameters[0]).partition("::")[0]
    name = given.removesuffix("...")
    if parameters[0].type == "splat_expression":
        return said == f"{receiver}({name})"
    entries = "".join(given.split()).removeprefix("(").removesuffix(")")
    return said == f"{receiver}({name}...)" or ("," in entries and said == f"{receiver}({entries})")


def _leave_out_foreign(here: Scope, struct: Struct) -> None:
    """Mark the methods for another package's types as not ported, if methods for known types remain."""
    defined = {*here.kinds, *here.source.structs, *here.source.types}
    foreign = [node for node in struct.forwards if is_foreign(read_method(node), defined)]
    rest = [node for node in struct.forwards if node not in foreign]
    if rest and all(all(read_method(node).declared[: 1 if struct.base else None]) for node in rest):
        for node in foreign:
            here.mark_hole(node, "a method for another package's types")
        struct.forwards = rest


def _write_record(here: Scope, struct: Struct) -> Scope:
    """Write a struct that is not a layer, but holds options, as a dataclass."""
    if struct.base or struct.marks or struct.inner:
        raise Unported("a struct without a forward method")
    for name in struct.fields:
        if name not in struct.defaults and not read_field_kind(struct, name):
            raise Unported("a struct without a forward method, whose fields may hold anything")
    lines = [f'    """Julia\'s struct {struct.python}."""', ""]
    known = dict(here.record_fields)
    if not struct.fields:
        raise Unported("an empty struct")
    for name in struct.fields:
        kind = read_field_kind(struct, name) or "unknown"
        line = f"    {name_field(name)}: object"
        if name in struct.defaults:
            node = struct.defaults[name]
            if find_names(node) & set(struct.fields):
                raise Unported("a default that depends on another field")
            before, holes = here.piece.mark()
            value = here.write(node)
            # Python would raise at the class definition, even if the class is never used.
            if len(here.piece.holes) > holes:
                del here.piece.lines[before:]
                value = Code(f"dataclasses.field(default_factory=lambda: {value.text})")
            elif value.text.startswith(("[", "{")):
                value = Code(f"dataclasses.field(default_factory=lambda: {value.text})", value.kind)
            kind = kind if kind != "unknown" else value.kind
            line += f" = {value.text}"
        known[name] = kind if known.get(name, kind) == kind else "unknown"
        lines.append(line)
    order = "(kw_only=True)" if struct.by_keyword else ""
    here.add_line(f"@dataclasses.dataclass{order}")
    here.add_line(f"class {struct.python}:")
    here.piece.lines += lines
    return replace(here, record_fields=known)


def _write_class(here: Scope, struct: Struct) -> None:
    """Write a Lux struct as a class, with its fields, initial values and forward methods."""
    if struct.base == "Layer" and not struct.parameters and set(struct.fields) & {"layer", "model"}:
        raise Unported("a layer that contains a layer, but is not one of Lux's containers")
    here.add_line(f"class {struct.python}(luxport.{struct.base}):")
    inside = here.open_block()
    inside.add_line(f'"""Julia\'s struct {struct.python}."""')
    inside.add_line("")
    for name in struct.fields:
        if not name.isidentifier() or name_field(name) != name or name in dir(Layer):
            raise Unported(f"a field named {name}")
        default = f" = {inside.write(struct.defaults[name]).text}" if name in struct.defaults else ""
        inside.add_line(f"{name}: object{default}")
    own = {name: Code(f"self.{name}", read_field_kind(struct, name) or "part") for name in struct.fields}
    for kind, methods in (("initial_parameters", struct.parameters), ("initial_states", struct.states)):
        if len(methods) > 1:
            raise Unported(f"{struct.name} with several methods")
        for method in methods:
            _write_initial(inside, method, own, kind)
    if struct.forwards and (struct.fields or struct.parameters or struct.states):
        inside.add_line("")
    if len(struct.forwards) == 1:
        _write_forward(inside, struct.forwards[0], own, "__call__", "self, ")
    elif struct.forwards:
        inside.add_line("def __call__(self, inputs, ps, st):")
        write_methods(
            inside, struct, lambda method, node, name: _write_forward(method, node, own, name, ""), ", ps, st"
        )


def _write_forward(here: Scope, forward: Node, own: dict[str, Code], name: str, before: str) -> None:
    """Write a forward method of a Lux layer."""
    parameters, body = split_definition(forward)
    if len(parameters) != 3 or any(node.type not in ("identifier", "typed_expression") for node in parameters[1:]):
        raise Unported("a forward method of Lux takes x, ps and st")
    method = bind_fields(here, forward, own)
    trees = [read_text(node if node.type == "identifier" else node.named_children[0]) for node in parameters[1:]]
    given = write_parameters(method, parameters, "array", find_taken_by_field(body) - {*trees})
    given = replace(given, kinds=given.kinds.with_values(dict.fromkeys(trees, "tree")))
    write_body(method, f"def {name}({before}{', '.join(given.listed)}):", body, "lux", given)


def _write_initial(here: Scope, method: Node, own: dict[str, Code], name: str) -> None:
    """Write Lux's ``initialparameters`` or ``initialstates``, which draw arrays when a model is set up."""
    parameters, body = split_definition(method)
    body = [node for node in body if not node.type.endswith("_comment")]
    if len(parameters) != 2 or len(body) != 1:
        raise Unported("initial values by more than one expression")
    value = body[0].named_children[-1] if body[0].type == "return_statement" else body[0]
    last = parameters[-1]
    receiver = read_text(last.named_children[0]) if len(last.named_children) == 2 else ""
    here.add_line("")
    here.add_line(f"def {name}(self, rng):")
    drawn = write_drawn_arrays(replace(here, fields={receiver: own} if receiver else {}), value)
    here.open_block().add_code("return ", drawn)
