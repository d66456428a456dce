"""Constructors of layers that are made of layers."""

from __future__ import annotations

import keyword

from luxport.porting.translate.options import exactly
from luxport.porting.translate.parse import Arguments, Unported
from luxport.porting.translate.translator import Builder, Translator
from luxport.porting.translate.writing import Code, call, group, named

__all__ = ["CONTAINERS"]


def _layers(t: Translator, given: Arguments, start: int = 0) -> list[Code]:
    """Return layers, by position or by name; a name that is a string is the container's own."""
    found = [t.layer(node) for node in given.positional[start:]]
    given.named.pop("disable_optimizations", None)  # which change no result
    if given.block is not None:
        raise Unported("layers in a do block")
    if given.splats:
        if len(given.splats) > 1 or found or given.named or given.splats[0].type != "splat_expression":
            raise Unported("layers in a splat of names, beside others")
        code = t.code(given.splats[0].named_children[0])
        if code.kind not in ("layers", "keywords", "unknown"):
            raise Unported("layers by their names expected")
        return [code]
    return [*found, *(named(_checked(name), t.layer(node)) for name, node in given.named.items())]


def _checked(name: str) -> str:
    if not name.isascii() or not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name):
        raise Unported(f"a layer named {name}")
    return name


def _container(t: Translator, given: Arguments) -> Code:
    return group("luxport.Chain(", _layers(t, given), ")", "layer")


def _joined(name: str) -> Builder:
    def build(t: Translator, given: Arguments) -> Code:
        ours = name
        if name == "PairwiseFusion":
            if t.dialect is None:
                raise Unported(
                    "Flux's PairwiseFusion joins before each layer and Lux's after it: say which, with `using`"
                )
            ours = "PairwiseFusion" if t.dialect == "flux" else "PairwiseFold"
        if not given.positional:
            raise Unported("what joins the outputs is expected first")
        layers = _layers(t, given, 1)
        two = len(layers) == 2 and not any(layer.text.startswith("*") for layer in layers) or name != "Parallel"
        return group(f"luxport.{ours}(", [t.connection(given.positional[0], two), *layers], ")", "layer")

    return build


def _branch(t: Translator, given: Arguments) -> Code:
    return group("luxport.BranchLayer(", _layers(t, given), ")", "layer")


def _skip(t: Translator, given: Arguments) -> Code:
    inner, connection = exactly(given, 2)
    given.only("name")
    return call("luxport.SkipConnection", [t.layer(inner), t.connection(connection, True)])


def _maxout(t: Translator, given: Arguments) -> Code:
    if given.block is not None or (given.positional and given.positional[0].type == "arrow_function_expression"):
        count = given.positional[-1]
        body = given.block if given.block is not None else given.positional[0]
        inner = [n for n in body.named_children if n.type != "argument_list"]
        if len(inner) != 1 or (given.block is None and len(given.positional) != 2):
            raise Unported("a function that makes one layer, and a number, expected")
        made = t.layer(inner[0])
        return Code(f"luxport.Maxout(*[{made.text} for _ in range({t.code(count).text})])", "layer")
    return group("luxport.Maxout(", _layers(t, given), ")", "layer")


def _wrapped(t: Translator, given: Arguments) -> Code:
    given.only()
    return call("luxport.WrappedFunction", [t.layer(exactly(given, 1)[0])])


CONTAINERS = {
    "BranchLayer": _branch,
    "Chain": _container,
    "Maxout": _maxout,
    "PairwiseFusion": _joined("PairwiseFusion"),
    "Parallel": _joined("Parallel"),
    "SkipConnection": _skip,
    "WrappedFunction": _wrapped,
}
"""What builds each of these layers, by its name in Julia."""
