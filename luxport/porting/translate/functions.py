"""Translate Julia's functions of arrays: elementwise functions, reductions, losses, and classes as one-hot vectors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from luxport.porting.translate.nnlib import NNLIB
from luxport.porting.translate.numbers import ARGUMENT_COUNTS, NUMBERS
from luxport.porting.translate.options import (
    expect_positional,
    read_axes,
    read_axis,
    read_axis_option,
    read_only_argument,
    write_aggregation,
)
from luxport.porting.translate.parse import Arguments, Unported, read_last_name, read_text
from luxport.porting.translate.scope import Builder, Scope
from luxport.porting.translate.sequences import build_map
from luxport.porting.translate.shaping import SHAPING
from luxport.porting.translate.tables import ACTIVATIONS, ELEMENTWISE, LOSSES
from luxport.porting.translate.writing import Code, call, write_operand

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["ARRAYS", "call_on_elements"]


def call_on_elements(here: Scope, name: str, values: list[Code]) -> Code:
    """Return a call of one of the functions `ELEMENTWISE`.

    Raises: Unported for another number of values, which Python's function could take for an option
    """
    if len(values) != ARGUMENT_COUNTS.get(name, 1):
        raise Unported(f"{name} of {len(values)} {'argument' if len(values) == 1 else 'arguments'}")
    if name == "abs2":
        return here.call_xp("square", [here.call_xp("abs", values)])
    return here.call_xp(ELEMENTWISE[name], values)


def _read_dimensions(given: Arguments) -> dict[str, Code]:
    """Return the options for a reduction over ``dims``, whose axes Julia keeps; {} for one over all axes."""
    if "dims" not in given.named:
        return {}
    return {"axis": read_axes(given.named["dims"]), "keepdims": Code("True")}


def _make_reduction(name: str) -> Builder:
    """Return a builder for ``sum``, ``mean``, ``maximum`` or ``minimum``: of an array, a list, or ``f.(x)``."""

    def build(here: Scope, given: Arguments) -> Code:
        given.expect_keywords("dims")
        *function, array = expect_positional(given, 1, 2)
        if function and here.mode == "build":  # ``sum(f, sizes)``
            x, function = build_map(here, Arguments([*function, array])), []
        else:
            x = here.write(array)
        if here.mode == "build" and array.type in ("tuple_expression", "vector_expression") and x.kind != "layer":
            x = x.with_kind("sizes")
        if name in _HELPERS_FOR_LISTS and not function and (x.is_mask or _is_comparison(array)):  # a count of true
            x = here.call_xp("astype", [x, Code("xp.float32")])
        if function:  # ``sum(f, x)`` equals ``sum(f.(x))``
            x = _apply_elementwise(here, function[0], x)
        if x.kind == "sizes" and not given.named and name != "mean" and not function:
            return Code(f"{name}({x.text})", "number")
        listed = x.kind in ("layers", "several", "sizes")
        whole = "dims" not in given.named and not function and here.mode != "build"
        if whole and name in _HELPERS_FOR_LISTS and (listed or x.kind != "array" or x.text.isidentifier()):
            return here.call_helper(_HELPERS_FOR_LISTS[name], [x])  # a list of arrays is summed elementwise
        if listed:
            raise Unported(f"{name} of a list")
        return here.call_xp(name, [x], _read_dimensions(given))

    return build


def _is_comparison(node: Node) -> bool:
    while node.type == "parenthesized_expression":
        node = node.named_children[0]
    symbol = read_text(node.named_children[1]) if node.type == "binary_expression" else ""
    return symbol in (".==", ".!=", ".≠", ".<", ".>", ".<=", ".>=", ".≤", ".≥")


_HELPERS_FOR_LISTS = {"sum": "sum_entries", "mean": "mean_entries"}


def _apply_elementwise(here: Scope, function: Node, x: Code) -> Code:
    name = read_last_name(function)
    if name in here.kinds or here.mode == "build" or not name:
        raise Unported("an elementwise function that is not known here")
    if name in ELEMENTWISE:
        return call_on_elements(here, name, [x])
    if name in ACTIVATIONS and "softmax" not in name:
        return call(ACTIVATIONS[name], [x], {}, "array")
    raise Unported("an elementwise function that is not known here")


def _make_spread(name: str) -> Builder:
    """Return a builder for ``std`` or ``var``, which divide by n - 1 unless ``corrected`` is false."""

    def build(here: Scope, given: Arguments) -> Code:
        x = read_only_argument(here, given, "dims", "corrected")
        if x.kind in ("layers", "several", "sizes"):
            raise Unported(f"{name} of a list")
        plain = "corrected" in given.named and read_text(given.named["corrected"]) == "false"
        if "corrected" in given.named and not plain and read_text(given.named["corrected"]) != "true":
            raise Unported("a value of corrected that is not a literal")
        options = {} if plain else {"correction": Code("1", "number")}
        return here.call_xp(name, [x], options | _read_dimensions(given))

    return build


def _build_cumsum(here: Scope, given: Arguments) -> Code:
    x = read_only_argument(here, given, "dims")
    if "dims" not in given.named:
        raise Unported("cumsum without dims")
    return here.call_xp("cumulative_sum", [x], read_axis_option(given))


def _build_norm(here: Scope, given: Arguments) -> Code:
    x = read_only_argument(here, given)
    if x.kind not in ("array", "bound", "unknown"):
        raise Unported("norm of a value that may not be an array")
    return here.call_xp("sqrt", [here.call_xp("sum", [here.call_xp("square", [here.call_xp("abs", [x])])])])


def _build_batched_mul(here: Scope, given: Arguments) -> Code:
    given.expect_keywords()
    a, b = [here.write(node) for node in expect_positional(given, 2)]
    return Code(f"{write_operand(b)} @ {write_operand(a)}", "array", True)


def _build_batched_transpose(here: Scope, given: Arguments) -> Code:
    """Translate ``batched_transpose(x)``, which transposes each matrix."""
    return here.call_xp("permute_dims", [read_only_argument(here, given), Code("(0, 2, 1)")])


def _make_pool_builder(name: str) -> Builder:
    def build(here: Scope, given: Arguments) -> Code:
        array, window = expect_positional(given, 2)
        layer = here.source.table.layers[name](here, Arguments([window], given.named, given.splats, given.block))
        return Code(f"{layer.text}({here.write(array).text}, {{}}, {{}})[0]", "array")

    return build


def _make_along(name: str) -> Builder:
    """Return a builder for a function along a dimension that has the same name in `luxport.ops`."""

    def build(here: Scope, given: Arguments) -> Code:
        return call(f"luxport.ops.{name}", [read_only_argument(here, given, "dims")], read_axis_option(given), "array")

    return build


def _build_activation(here: Scope, given: Arguments) -> Code:
    """Translate ``fast_activation(f, x)`` of LuxLib, which equals ``f.(x)``."""
    given.expect_keywords()
    function, array = expect_positional(given, 2)
    if here.mode == "build":
        raise Unported("an operation on arrays outside of a function")
    name = read_last_name(function)
    if name in ELEMENTWISE and name not in here.kinds:
        return call_on_elements(here, name, [here.write(array)])
    return call(here.write_activation(function).text, [here.write(array)], {}, "array")


def _build_gate(here: Scope, given: Arguments) -> Code:
    """Translate ``Flux.gate(x, h, n)``, the n-th group of h features."""
    given.expect_keywords()
    x, size, number = [here.write(node) for node in expect_positional(given, 3)]
    if here.mode != "array" or x.kind not in ("array", "bound", "unknown") or not number.text.isdigit():
        raise Unported("a gate whose arguments are not literals")
    start = f"{write_operand(size)} * {int(number.text) - 1}" if number.text != "1" else "0"
    return Code(f"{write_operand(x)}[..., {start}:{write_operand(size)} * {number.text}]", "array")


def _build_chunk(here: Scope, given: Arguments) -> Code:
    """Translate ``chunk(x, 3; dims = 1)``; without dims it splits Julia's last axis."""
    given.expect_keywords("dims")
    x, count = [here.write(node) for node in expect_positional(given, 2)]
    if here.mode == "build" or x.kind not in ("array", "bound", "unknown") or count.kind not in ("number", "unknown"):
        raise Unported("chunk of a value that may not be an array")
    axis = read_axis(given.named["dims"]) if "dims" in given.named else "0"
    return here.call_helper("chunk", [x, count, Code(axis)]).with_kind("several")


def _make_loss(name: str) -> Builder:
    def build(here: Scope, given: Arguments) -> Code:
        given.expect_keywords("agg", "dims")
        if here.mode != "array":
            raise Unported("a loss outside of a function of arrays")
        values = [here.write(node) for node in expect_positional(given, 2)]
        options = read_axis_option(given)
        if "agg" in given.named:
            options["agg"] = write_aggregation(here, given.named["agg"])
        return call(f"luxport.losses.{name}", values, options, "array")

    return build


def _build_one_hot(here: Scope, given: Arguments) -> Code:
    """Translate ``onehotbatch(y, labels)`` and ``onehotbatch(y, labels, default)``."""
    given.expect_keywords()
    data, labels, *default = expect_positional(given, 2, 3)
    if here.mode == "build":
        raise Unported("arrays of data outside of a function")
    ends = _read_whole_range(labels)
    classes = Code(f"range({ends[0]}, {ends[1] + 1})") if ends else here.write(labels)
    return call("luxport.training.onehotbatch", [here.write(data), classes, *map(here.write, default)], None, "array")


def _build_one_cold(here: Scope, given: Arguments) -> Code:
    """Translate ``onecold(y)``, whose classes count from 1 in Julia, and ``onecold(y, 0:9)``."""
    given.expect_keywords()
    y, *labels = expect_positional(given, 1, 2)
    if here.mode == "build":
        raise Unported("arrays of data outside of a function")
    ends = _read_whole_range(labels[0]) if labels else (1, 1)
    if ends is None:
        return call("luxport.training.onecold", [here.write(y), here.write(labels[0])], None, "unknown")
    found = call("luxport.training.onecold", [here.write(y)], None, "array")
    return Code(f"{write_operand(found)} + {ends[0]}", "array", True) if ends[0] else found


def _read_whole_range(node: Node) -> tuple[int, int] | None:
    """Return the ends of a literal range of integers, None for anything else."""
    found = re.fullmatch(r"\(?(-?\d{1,9}):(-?\d{1,9})\)?", read_text(node))
    return (int(found[1]), int(found[2])) if found else None


ARRAYS: Mapping[str, Builder] = {
    **NNLIB,
    **NUMBERS,
    **SHAPING,
    **{name: _make_loss(name) for name in LOSSES},
    "batched_mul": _build_batched_mul,
    "batched_transpose": _build_batched_transpose,
    "chunk": _build_chunk,
    "cumsum": _build_cumsum,
    "fast_activation": _build_activation,
    "fast_activation!!": _build_activation,
    "gate": _build_gate,
    "logsoftmax": _make_along("logsoftmax"),
    "maximum": _make_reduction("max"),
    "make_causal_mask": _make_along("make_causal_mask"),
    "maxpool": _make_pool_builder("MaxPool"),
    "mean": _make_reduction("mean"),
    "meanpool": _make_pool_builder("MeanPool"),
    "minimum": _make_reduction("min"),
    "norm": _build_norm,
    "onecold": _build_one_cold,
    "onehotbatch": _build_one_hot,
    "softmax": _make_along("softmax"),
    "std": _make_spread("std"),
    "sum": _make_reduction("sum"),
    "var": _make_spread("var"),
}
"""The builder for each function of arrays or of sizes, by its name in Julia."""
