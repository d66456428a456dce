"""Arguments of constructors: sizes, activations, initializers and keywords by our names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from luxport.porting.translate.parse import Arguments, Unported, arguments, last_name, text
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.tables import INITIALIZERS
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


def pair(here: Scope, node: Node) -> list[Code]:
    """Return what ``a => b => c`` holds."""
    first, _, second = node.named_children
    return [here.code(first), *(pair(here, second) if is_pair(second) else [here.code(second)])]


def in_out(here: Scope, positional: list[Node]) -> tuple[list[Code], list[Node]]:
    """Return in and out, written ``in => out`` or ``in, out``, and the arguments that follow."""
    if positional and is_pair(positional[0]):
        sizes, rest = pair(here, positional[0]), positional[1:]
    elif positional and positional[0].type == "identifier" and here.kinds.get(text(positional[0])) == "pair":
        return [Code(f"*{here.name(text(positional[0]))}", "number")], positional[1:]
    else:
        sizes, rest = [here.code(node) for node in positional[:2]], positional[2:]
    if len(sizes) != 2 or any(size.kind in ("array", "layer", "function", "flag") for size in sizes):
        raise Unported("the sizes are expected as in => out")
    return sizes, rest


def activations(here: Scope, rest: list[Node]) -> list[Code]:
    """Return the activation that follows sizes, if there is one."""
    if len(rest) > 1:
        raise Unported("more arguments than sizes and an activation")
    return [here.activation(node) for node in rest if last_name(node) != "identity"]


def options_of(here: Scope, given: Arguments, *, window: Code | None = None, **known: Any) -> dict[str, Code]:
    """Return keywords by our names. `known` gives Julia's for each, or how it is read besides."""
    options: dict[str, Code] = {}
    theirs: dict[str, tuple[str, Callable[[Node], Code]]] = {}
    readers = {
        "use_bias": here.flag,
        "init_weight": lambda n: initializer(here, n),
        "init_bias": lambda n: initializer(here, n),
    }
    for ours, entry in known.items():
        names, reader = (
            entry if isinstance(entry, tuple) and callable(entry[-1]) else (entry, readers.get(ours, here.code))
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
        if len(handed_on) > 1 or here.kinds.get(text(inner)) != "keywords":
            raise Unported("keywords in a variable")
        here.output.helpers |= {"keywords", "padded", "spatial"}
        options["**"] = here.helper(
            "keywords", [Code(here.name(text(inner))), *([window] if window is not None else [])]
        )
    return options


def _is_random_state(node: Node) -> bool:
    name = last_name(node.named_children[0]) if node.type == "call_expression" else text(node)
    return name in ("rng", "default_rng", "MersenneTwister", "StableRNG", "Xoshiro")


def initializer(here: Scope, node: Node) -> Code:
    """Return an initializer: by its name, or called with options alone."""
    if node.type == "call_expression":
        name, given = last_name(node.named_children[0]), arguments(node)
        known = {"gain", "mean", "std"}
        given.positional = [part for part in given.positional if not _is_random_state(part)]
        if name in INITIALIZERS and not given.positional and set(given.named) <= known and not given.splats:
            options = {key: here.code(value) for key, value in given.named.items()}
            return (
                call(f"luxport.initializers.{INITIALIZERS[name]}", [], options, "function")
                if options
                else here.initial(name)
            )
    if node.type == "arrow_function_expression":
        found = here.define(node, "array")
        if found.kind != "initializer":
            raise Unported("no initializer that is known here")
        return found.of_kind("function")
    name = last_name(node)
    if here.kinds.get(name) == "initializer":
        return Code(here.name(name), "function")
    if name not in INITIALIZERS or name in here.kinds:
        raise Unported("no initializer that is known here")
    return here.initial(name)


def exactly(given: Arguments, *counts: int) -> list[Node]:
    """Return what is given by position, of which there must be so many."""
    if len(given.positional) not in counts:
        raise Unported(f"{' or '.join(map(str, counts))} arguments expected, got {len(given.positional)}")
    return given.positional
