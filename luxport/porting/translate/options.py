"""Arguments of constructors: sizes, activations, initializers and keywords by our names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from luxport.porting.translate.parse import Arguments, Unported, arguments, last_name, text
from luxport.porting.translate.tables import INITIALIZERS
from luxport.porting.translate.translator import Translator
from luxport.porting.translate.writing import Code, call

if TYPE_CHECKING:
    from tree_sitter import Node


__all__ = ["BIAS", "EPSILON", "INIT"]
__all__ += ["activations", "exactly", "in_out", "initializer", "is_pair", "options_of", "pair"]

BIAS, INIT = ("bias", "use_bias"), ("init", "init_weight", "initW")


EPSILON = ("ϵ", "eps", "epsilon")


def is_pair(node: Node) -> bool:
    """Whether a node is ``a => b``."""
    return node.type == "binary_expression" and text(node.named_children[1]) == "=>"


def pair(t: Translator, node: Node) -> list[Code]:
    """Return what ``a => b => c`` holds."""
    first, _, second = node.named_children
    return [t.code(first), *(pair(t, second) if is_pair(second) else [t.code(second)])]


def in_out(t: Translator, positional: list[Node]) -> tuple[list[Code], list[Node]]:
    """Return in and out, written ``in => out`` or ``in, out``, and the arguments that follow."""
    if positional and is_pair(positional[0]):
        sizes, rest = pair(t, positional[0]), positional[1:]
    elif positional and positional[0].type == "identifier" and t.kinds.get(text(positional[0])) == "pair":
        return [Code(f"*{t.name(text(positional[0]))}", "number")], positional[1:]
    else:
        sizes, rest = [t.code(node) for node in positional[:2]], positional[2:]
    if len(sizes) != 2 or any(size.kind in ("array", "layer", "function", "flag") for size in sizes):
        raise Unported("the sizes are expected as in => out")
    return sizes, rest


def activations(t: Translator, rest: list[Node]) -> list[Code]:
    """Return the activation that follows sizes, if there is one."""
    if len(rest) > 1:
        raise Unported("more arguments than sizes and an activation")
    return [t.activation(node) for node in rest if last_name(node) != "identity"]


def options_of(t: Translator, given: Arguments, *, window: Code | None = None, **known: Any) -> dict[str, Code]:
    """Return keywords by our names. `known` gives Julia's for each, or how it is read besides."""
    options: dict[str, Code] = {}
    theirs: dict[str, tuple[str, Callable[[Node], Code]]] = {}
    readers = {"use_bias": t.flag, "init_weight": lambda n: initializer(t, n), "init_bias": lambda n: initializer(t, n)}
    for ours, entry in known.items():
        names, reader = (
            entry if isinstance(entry, tuple) and callable(entry[-1]) else (entry, readers.get(ours, t.code))
        )
        for name in names if isinstance(names, tuple) else (names,):
            theirs[str(name)] = ours, reader
    handed_on, given.splats = given.splats, []
    given.only(*theirs, "name")
    for name, node in given.named.items():
        if name in theirs:
            ours, reader = theirs[name]
            options[ours] = reader(node)
    for splat in handed_on:
        inner = splat.named_children[0] if splat.type == "splat_expression" else splat
        if len(handed_on) > 1 or t.kinds.get(text(inner)) != "keywords":
            raise Unported("keywords in a variable")
        t.helpers |= {"keywords", "padded", "spatial"}
        options["**"] = t.helper("keywords", [Code(t.name(text(inner))), *([window] if window is not None else [])])
    return options


def _is_random_state(node: Node) -> bool:
    name = last_name(node.named_children[0]) if node.type == "call_expression" else text(node)
    return name in ("rng", "default_rng", "MersenneTwister", "StableRNG", "Xoshiro")


def initializer(t: Translator, node: Node) -> Code:
    """Return an initializer: by its name, or called with options alone."""
    if node.type == "call_expression":
        name, given = last_name(node.named_children[0]), arguments(node)
        known = {"gain", "mean", "std"}
        given.positional = [part for part in given.positional if not _is_random_state(part)]
        if name in INITIALIZERS and not given.positional and set(given.named) <= known and not given.splats:
            options = {key: t.code(value) for key, value in given.named.items()}
            return (
                call(f"luxport.initializers.{INITIALIZERS[name]}", [], options, "function")
                if options
                else t.initial(name)
            )
    if node.type == "arrow_function_expression":
        found = t.table.define(t, node, mode="array")
        if found not in t.initializers:
            raise Unported("no initializer that is known here")
        return Code(found, "function")
    name = last_name(node)
    if t.kinds.get(name) == "initializer":
        return Code(t.name(name), "function")
    if name not in INITIALIZERS or name in t.kinds:
        raise Unported("no initializer that is known here")
    return t.initial(name)


def exactly(given: Arguments, *counts: int) -> list[Node]:
    """Return what is given by position, of which there must be so many."""
    if len(given.positional) not in counts:
        raise Unported(f"{' or '.join(map(str, counts))} arguments expected, got {len(given.positional)}")
    return given.positional
