"""Translate arguments of layers' constructors: sizes, activations, initializers, keywords under luxport's names."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from luxport.porting.translate.parse import Arguments, Unported, read_arguments, read_last_name, read_text
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.tables import INITIALIZERS
from luxport.porting.translate.writing import Code, call, group, write_whole_number

if TYPE_CHECKING:
    from tree_sitter import Node


__all__ = ["BIAS", "EPSILON", "INIT"]
__all__ += [
    "expect_positional",
    "is_pair",
    "read_activations",
    "read_axes",
    "read_axis",
    "read_axis_option",
    "read_in_out",
    "read_only_argument",
    "read_options",
    "read_pair",
    "write_aggregation",
    "write_initializer",
    "write_pairs",
]

BIAS, INIT = ("bias", "use_bias"), ("init", "init_weight", "initW")
EPSILON = ("ϵ", "eps", "epsilon")


def is_pair(node: Node) -> bool:
    """Return whether a node is a pair, ``a => b``."""
    return node.type == "binary_expression" and read_text(node.named_children[1]) == "=>"


def read_pair(here: Scope, node: Node) -> list[Code]:
    """Translate the entries of ``a => b => c``."""
    first, _, second = node.named_children
    return [here.write(first), *(read_pair(here, second) if is_pair(second) else [here.write(second)])]


def read_in_out(here: Scope, positional: list[Node], *, after_kernel: bool = False) -> tuple[list[Code], list[Node]]:
    """Translate the sizes ``in => out`` or ``in, out``, and return them with the remaining arguments.

    After a convolution's kernel (`after_kernel`), a variable of unknown kind can only be a pair.
    """
    if positional and is_pair(positional[0]):
        sizes, rest = read_pair(here, positional[0]), positional[1:]
    elif positional and here.kinds.get(read_text(positional[0])) in (
        ("pair", "unknown") if after_kernel else ("pair",)
    ):
        return [Code(f"*{here.spell(read_text(positional[0]))}", "number")], positional[1:]
    else:
        sizes, rest = [here.write(node) for node in positional[:2]], positional[2:]
    if len(sizes) != 2 or any(size.kind in ("array", "layer", "function", "flag") for size in sizes):
        raise Unported("the sizes are expected as in => out")
    return sizes, rest


def read_activations(here: Scope, rest: list[Node]) -> list[Code]:
    """Translate the activation that may follow the sizes, and return it in a list; [] for none or the identity."""
    if len(rest) > 1:
        raise Unported("more arguments than sizes and an activation")
    return [here.write_activation(node) for node in rest if read_last_name(node) != "identity"]


def read_options(
    here: Scope, given: Arguments, *same: str, window: Code | None = None, **known: Any
) -> dict[str, Code]:
    """Translate keywords, and return them under luxport's names.

    `same` are keywords with equal names. `known` maps each of luxport's other names to Julia's, or to a tuple of them,
    which may end with the function that translates the value; by default luxport's name determines it.
    """
    theirs: dict[str, tuple[str, Callable[[Node], Code]]] = {name: (name, _find_reader(here, name)) for name in same}
    for ours, entry in known.items():
        names, read = entry if isinstance(entry, tuple) and callable(entry[-1]) else (entry, _find_reader(here, ours))
        theirs |= dict.fromkeys(names if isinstance(names, tuple) else (names,), (ours, read))
    options: dict[str, Code] = {}
    handed_on, given.splats = given.splats, []
    given.expect_keywords(*theirs, "name")
    for name, node in given.named.items():
        if name in theirs:
            ours, read = theirs[name]
            options[ours] = read(node)
    for splat in handed_on:
        inner = splat.named_children[0] if splat.type == "splat_expression" else splat
        if len(handed_on) > 1 or here.kinds.get(read_text(inner)) != "keywords":
            raise Unported("keywords in a variable")
        here.output.helpers |= {"translate_keywords", "reverse_padding", "reverse_sizes"}
        listed = [Code(here.spell(read_text(inner))), *([window] if window is not None else [])]
        options["**"] = here.call_helper("translate_keywords", listed)
    return options


_FLAGS = {"affine", "cross_correlation", "is_causal", "return_sequence", "return_state", "track_stats"}
_FLAGS |= {"train_memory", "train_state", "use_bias"}
_SPATIAL = {"dilation", "output_padding", "stride"}


def _find_reader(here: Scope, ours: str) -> Callable[[Node], Code]:
    """Return the function that translates the value of an option, by luxport's name of the option."""
    if ours.startswith("init_"):
        return functools.partial(write_initializer, here)
    return here.write_flag if ours in _FLAGS else here.write_sizes if ours in _SPATIAL else here.write


def _is_random_state(here: Scope, node: Node) -> bool:
    if here.kinds.get(read_text(node)) == "rng":
        return True
    name = read_last_name(node.named_children[0]) if node.type == "call_expression" else read_text(node)
    return name in ("rng", "default_rng", "MersenneTwister", "StableRNG", "Xoshiro")


def write_initializer(here: Scope, node: Node) -> Code:
    """Translate an initializer: a name, a call with options only, or a function that draws an array."""
    if (made := read_initializer_call(here, node)) is not None:
        return made
    if node.type == "arrow_function_expression":
        found = here.define_function(node, "array")
        if found.kind != "initializer":
            raise Unported("an initializer that is not known here")
        return found.with_kind("function")
    name = read_last_name(node)
    if here.kinds.get(name) in ("initializer", "unknown") and here.mode == "build":
        return Code(here.spell(name), "function")
    if name not in INITIALIZERS or name in here.kinds:
        raise Unported("an initializer that is not known here")
    return here.name_initializer(name)


def read_initializer_call(here: Scope, node: Node) -> Code | None:
    """Translate an initializer with options, ``glorot_normal(rng; gain = 2)``; return None for anything else."""
    if node.type == "call_expression" and node.named_children[0].type in ("identifier", "field_expression"):
        name, given = read_last_name(node.named_children[0]), read_arguments(node)
        known = {"gain", "mean", "std"}
        given.positional = [part for part in given.positional if not _is_random_state(here, part)]
        if (
            name in INITIALIZERS
            and name not in here.kinds
            and not given.positional
            and set(given.named) <= known
            and not given.splats
        ):
            options = {key: here.write(value) for key, value in given.named.items()}
            plain = here.name_initializer(name)
            return call(plain.text, [], options, "function") if options else plain
    return None


def expect_positional(given: Arguments, *counts: int) -> list[Node]:
    """Return the positional arguments, or raise Unported if their number is not one of `counts`."""
    if len(given.positional) not in counts:
        wanted = "1 argument" if counts == (1,) else f"{' or '.join(map(str, counts))} arguments"
        raise Unported(f"{wanted} expected, got {len(given.positional)}")
    return given.positional


def read_only_argument(here: Scope, given: Arguments, *keywords: str) -> Code:
    """Translate the only positional argument of a call that may have these keywords."""
    given.expect_keywords(*keywords)
    return here.write(expect_positional(given, 1)[0])


def read_axis(node: Node) -> str:
    """Return the axis for a literal dimension: Julia's dimension k is axis -k."""
    if read_text(node).startswith("Val("):
        node = node.named_children[-1].named_children[0]
    if node.type != "integer_literal":
        raise Unported("a dimension that is not a literal number")
    return f"-{write_whole_number(read_text(node))}"


def read_axis_option(given: Arguments) -> dict[str, Code]:
    """Return the option ``axis`` for the keyword ``dims``, {} without it."""
    return {"axis": Code(read_axis(given.named["dims"]))} if "dims" in given.named else {}


def read_axes(node: Node) -> Code:
    """Return the axis or axes for one or several literal dimensions."""
    if node.type != "tuple_expression":
        return Code(read_axis(node))
    return group("(", [Code(read_axis(entry)) for entry in reversed(node.named_children)], ")")


def write_pairs(entries: Sequence[Code]) -> Code:
    """Return pairs of (before, after) for each axis, from Julia's flat list, whose last axis is our first."""
    pairs = [group("(", entries[i : i + 2], ")", "sizes") for i in range(0, len(entries), 2)]
    return group("(", pairs[::-1], ")", "sizes")


def write_aggregation(here: Scope, node: Node) -> Code:
    """Translate the aggregation of a loss, ``mean`` or ``sum``."""
    name = read_last_name(node)
    if name not in ("mean", "sum") or name in here.kinds:
        raise Unported("a loss that is aggregated by something other than mean or sum")
    return Code(repr(name))
