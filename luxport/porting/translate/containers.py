"""Translate the constructors of layers that contain layers."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

from luxport.porting.translate.options import expect_positional
from luxport.porting.translate.parse import Arguments, Unported, read_text
from luxport.porting.translate.scope import Builder, Scope
from luxport.porting.translate.writing import Code, call, group, write_named

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["CONTAINERS", "write_connection"]


def _read_layers(here: Scope, given: Arguments, start: int = 0) -> list[Code]:
    """Translate the layers of a container, by position or by name. (A string is the container's own name.)"""
    found = [here.write_layer(node) for node in given.positional[start:]]
    given.named.pop("disable_optimizations", None)  # it does not change results
    if given.block is not None:
        raise Unported("layers in a do block")
    if given.splats:
        if len(given.splats) > 1 or found or given.named or given.splats[0].type != "splat_expression":
            raise Unported("layers in a splat of names, beside others")
        code = here.write(given.splats[0].named_children[0])
        if code.kind not in ("layers", "keywords", "unknown"):
            raise Unported("layers by name expected")
        return [code]
    return [*found, *(write_named(_check_name(name), here.write_layer(node)) for name, node in given.named.items())]


def _check_name(name: str) -> str:
    if not name.isascii() or not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name):
        raise Unported(f"a layer named {name}")
    return name


def _make_container(name: str) -> Builder:
    def build(here: Scope, given: Arguments) -> Code:
        return group(f"luxport.{name}(", _read_layers(here, given), ")", "layer")

    return build


def _make_joining(name: str) -> Builder:
    def build(here: Scope, given: Arguments) -> Code:
        ours = name
        if name == "PairwiseFusion":
            if here.source.dialect is None:
                raise Unported(
                    "Flux's PairwiseFusion joins before each layer and Lux's after it: say which, with `using`"
                )
            ours = "PairwiseFusion" if here.source.dialect == "flux" else "PairwiseFold"
        if not given.positional:
            raise Unported("a connection expected as the first argument")
        layers = _read_layers(here, given, 1)
        two = len(layers) == 2 and not any(layer.text.startswith("*") for layer in layers) or name != "Parallel"
        return group(f"luxport.{ours}(", [write_connection(here, given.positional[0], two), *layers], ")", "layer")

    return build


def write_connection(here: Scope, node: Node, two: bool) -> Code:
    """Translate what joins two or more outputs: a function, a layer, or nothing."""
    symbol = read_text(node).strip("()")
    symbol = symbol if symbol == ".*" else symbol.removeprefix(".")
    if symbol == "*" and two:  # of two matrices
        return here.name_helper("matmul")
    if symbol in _OPERATORS and symbol not in here.kinds:
        both, many = _OPERATORS[symbol]
        if two:
            return Code(both, "function")
        if many:
            return here.name_helper(many)
        return here.write_hole(node, "a difference of more or fewer than two outputs")
    if symbol in ("vcat", "hcat") and symbol not in here.kinds:
        return here.name_helper(symbol)
    return Code("None") if symbol == "tuple" else here.write(node)


_OPERATORS = {"+": ("operator.add", "add"), ".*": ("operator.mul", "multiply"), "-": ("operator.sub", "")}


def _build_skip_connection(here: Scope, given: Arguments) -> Code:
    inner, joined = expect_positional(given, 2)
    given.expect_keywords("name")
    return call("luxport.SkipConnection", [here.write_layer(inner), write_connection(here, joined, True)])


def _build_maxout(here: Scope, given: Arguments) -> Code:
    if given.block is not None or (given.positional and given.positional[0].type == "arrow_function_expression"):
        count = given.positional[-1]
        body = given.block if given.block is not None else given.positional[0]
        inner = [n for n in body.named_children if n.type != "argument_list"]
        if len(inner) != 1 or (given.block is None and len(given.positional) != 2):
            raise Unported("a function that makes one layer, and a number, expected")
        made = here.write_layer(inner[0])
        return Code(f"luxport.Maxout(*[{made.text} for _ in range({here.write(count).text})])", "layer")
    return group("luxport.Maxout(", _read_layers(here, given), ")", "layer")


def _build_wrapped_function(here: Scope, given: Arguments) -> Code:
    given.expect_keywords()
    return call("luxport.WrappedFunction", [here.write_layer(expect_positional(given, 1)[0])])


CONTAINERS = {
    "BranchLayer": _make_container("BranchLayer"),
    "Chain": _make_container("Chain"),
    "Maxout": _build_maxout,
    "PairwiseFusion": _make_joining("PairwiseFusion"),
    "Parallel": _make_joining("Parallel"),
    "SkipConnection": _build_skip_connection,
    "WrappedFunction": _build_wrapped_function,
}
"""The builder of each layer, by its name in Julia."""
