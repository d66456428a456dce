"""Translate the constructors of `WeightNorm`, `RepeatedLayer`, `SelectDim` and `ReverseSequence`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luxport.porting.translate.indices import write_place
from luxport.porting.translate.options import expect_positional, read_axis, read_options
from luxport.porting.translate.parse import Arguments, Unported, list_parts, read_arguments, read_last_name, read_text
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.writing import Code, call, group

if TYPE_CHECKING:
    from tree_sitter import Node


__all__ = ["WRAPPERS"]


def _read_symbols(node: Node) -> list[str]:
    listed = list_parts(node) if node.type in ("tuple_expression", "vector_expression") else [node]
    if any(entry.type != "quote_expression" for entry in listed):
        raise Unported("literal names of parameters expected")
    return [read_text(entry)[1:] for entry in listed]


def _build_weight_norm(here: Scope, given: Arguments) -> Code:
    if here.source.dialect is None:
        raise Unported("the sizes of Flux's WeightNorm are along other axes than Lux's: say which, with `using`")
    inner, *rest = expect_positional(given, 1, 2, 3)
    layer = here.write_layer(inner)
    which = _read_symbols(rest[0]) if rest else ["weight"]
    if here.source.dialect == "flux":
        if given.named or len(rest) > 1 or which != ["weight"] or not layer.text.startswith("luxport.Dense("):
            raise Unported("Flux's WeightNorm of other than a Dense layer's weight keeps several axes")
        return call("luxport.WeightNorm", [layer])
    given.expect_keywords()
    if len(rest) == 2 and read_text(rest[1]) != "nothing":
        dims = list_parts(rest[1]) if rest[1].type == "tuple_expression" else [rest[1]]
        if len(dims) != len(which):
            raise Unported("one dimension for each parameter expected")
        axes = [Code(read_axis(dim)) for dim in dims]
    else:
        axes = [Code("0") for _ in which]  # Julia's last axis
    names = group("(", [Code(repr(name)) for name in which], ")")
    return call("luxport.WeightNorm", [layer, names], {"axes": group("(", axes, ")")})


def _build_repeated_layer(here: Scope, given: Arguments) -> Code:
    def read_plain(node: Node) -> Code:
        name = read_last_name(node.named_children[0]) if node.type == "call_expression" else ""
        if name not in ("Val", "static", "True", "False"):
            return here.write(node)
        inner = read_arguments(node).positional
        return here.write(inner[0]) if inner else Code(name, "flag")

    layers = [here.write_layer(node) for node in expect_positional(given, 1)]
    options = read_options(
        here, given, repeats=("repeats", read_plain), input_injection=("input_injection", read_plain)
    )
    if "input_injection" not in options or options["input_injection"].text != "True":
        raise Unported("Lux's RepeatedLayer passes the first input to every repetition, and luxport's the last output")
    return call("luxport.RepeatedLayer", layers, options)


def _build_select_dim(here: Scope, given: Arguments) -> Code:
    given.expect_keywords()
    dim, index = expect_positional(given, 2)
    return call("luxport.SelectDim", [Code(read_axis(dim)), Code(write_place(here, index))])


def _build_reverse_sequence(here: Scope, given: Arguments) -> Code:
    given.expect_keywords()
    return call("luxport.ReverseSequence", [Code(read_axis(dim)) for dim in expect_positional(given, 0, 1)])


WRAPPERS = {
    "RepeatedLayer": _build_repeated_layer,
    "ReverseSequence": _build_reverse_sequence,
    "SelectDim": _build_select_dim,
    "WeightNorm": _build_weight_norm,
}
"""The builder of each layer, by its name in Julia."""
