"""Translate Julia's functions that reshape, permute, slice and join arrays, with the axes reversed.

Julia's axis k is axis -k here, for any number of axes. So ``size(x, 1)`` is the size of the last axis, and
``reshape(x, a, b, :)`` becomes a reshape to ``(-1, b, a)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from luxport.porting.translate.options import expect_positional, read_axes, read_axis, read_only_argument
from luxport.porting.translate.parse import Arguments, Unported, read_arguments, read_last_name, read_text
from luxport.porting.translate.scope import Builder, Scope
from luxport.porting.translate.writing import Code, group, write_operand

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["SHAPING"]


def _find_dimension(name: str, given: Arguments, positional: Sequence[Node] = ()) -> Node:
    """Return the dimension that a function is given by keyword or by position."""
    found = [*positional, *(node for key, node in given.named.items() if key == "dims")]
    if len(found) != 1:
        raise Unported(f"{name} without dims")
    return found[0]


def _build_size(here: Scope, given: Arguments) -> Code:
    given.expect_keywords()
    array, *dims = expect_positional(given, 1, 2)
    x = write_operand(here.write(array))
    if not dims:
        return Code(f"{x}.shape[::-1]", "sizes")
    if dims[0].type == "call_expression" and read_last_name(dims[0].named_children[0]) == "ndims":
        return Code(f"{x}.shape[0]", "number")
    return Code(f"{x}.shape[{read_axis(dims[0])}]", "number")


def _build_dimensions(here: Scope, given: Arguments) -> Code:
    return Code(f"len({write_operand(read_only_argument(here, given))}.shape)", "number")


def _build_reshape(here: Scope, given: Arguments) -> Code:
    given.expect_keywords()
    array, *sizes = given.positional
    if len(sizes) == 1 and sizes[0].type == "tuple_expression":
        sizes = sizes[0].named_children
    found = [_write_size(here, size) for size in sizes]
    if len(found) == 1 and found[0].kind not in ("number", "turned"):
        raise Unported("a shape in a variable")
    wrong = ("layer", "layers", "function", "flag", "text", "sizes", "tree")
    if not found or any(size.kind in wrong or (size.text.startswith("*") and size.kind != "turned") for size in found):
        raise Unported("separate sizes expected")
    return here.call_xp("reshape", [here.write(array), group("(", found[::-1], ")", "sizes")])


def _write_size(here: Scope, node: Node) -> Code:
    """Translate a size, or a splat of several; ``ones(Int, n)...`` stands for n axes of size 1."""
    if read_text(node) in (":", "Colon()"):
        return Code("-1", "number")
    inner = node.named_children[0] if node.type == "splat_expression" else node
    if inner is not node and inner.type == "call_expression" and read_text(inner.named_children[0]) == "ones":
        kind, *count = read_arguments(inner).positional
        if read_text(kind) in ("Int", "Int64", "Int32") and len(count) == 1:
            return Code(f"*[1] * ({here.write(count[0]).text})", "turned")
    return _reverse_splat(here.write(node))


def _reverse_splat(size: Code) -> Code:
    """Return a splat of sizes in reverse, which is our order."""
    if not size.text.startswith("*") or size.kind != "sizes":
        return size
    inner = size.text.removesuffix("[::-1]") if size.text.endswith(".shape[::-1]") else f"{size.text}[::-1]"
    return Code(inner, "turned")


def _build_flatten(here: Scope, given: Arguments) -> Code:
    x = read_only_argument(here, given)
    return here.call_xp("reshape", [x, Code(f"({write_operand(x)}.shape[0], -1)")])


def _build_vec(here: Scope, given: Arguments) -> Code:
    return here.call_xp("reshape", [read_only_argument(here, given), Code("(-1,)")])


def _build_transpose(here: Scope, given: Arguments) -> Code:
    return here.call_helper("transpose", [read_only_argument(here, given)])


def _build_permutedims(here: Scope, given: Arguments) -> Code:
    given.expect_keywords()
    array, *order = expect_positional(given, 1, 2)
    if not order:
        return here.call_helper("transpose", [here.write(array)])
    if order[0].type not in ("tuple_expression", "vector_expression"):
        raise Unported("a permutation that is not a literal")
    places = [int(read_text(entry)) for entry in order[0].named_children]
    axes = [Code(str(len(places) - place)) for place in reversed(places)]
    return here.call_xp("permute_dims", [here.write(array), group("(", axes, ")")])


def _build_unsqueeze(here: Scope, given: Arguments) -> Code:
    # Julia's new axis is axis k of the result; negative axes count the axes of the result, too.
    given.expect_keywords("dims")
    array, *dims = expect_positional(given, 1, 2)  # until Flux 0.13 by position
    axis = read_axis(_find_dimension("unsqueeze", given, dims))
    return here.call_xp("expand_dims", [here.write(array)], {"axis": Code(axis)})


def _build_dropdims(here: Scope, given: Arguments) -> Code:
    x = read_only_argument(here, given, "dims")
    return here.call_xp("squeeze", [x], {"axis": read_axes(_find_dimension("dropdims", given))})


def _build_reverse(here: Scope, given: Arguments) -> Code:
    x = read_only_argument(here, given, "dims")
    if x.kind in ("layers", "sizes"):
        return Code(f"{write_operand(x)}[::-1]", x.kind)
    if x.kind not in ("array", "bound") and "dims" not in given.named:
        raise Unported("reverse of a value that may not be an array")
    return here.call_xp("flip", [x], {"axis": read_axes(given.named["dims"])} if "dims" in given.named else None)


def _build_cat(here: Scope, given: Arguments) -> Code:
    given.expect_keywords("dims")
    joined = group("[", map(here.write, given.positional), "]")
    return here.call_xp("concat", [joined], {"axis": Code(read_axis(_find_dimension("cat", given)))})


def _make_concatenation(name: str) -> Builder:
    """Return a builder for ``vcat`` or ``hcat`` of arrays; in code that builds layers, of numbers and lists."""

    def build(here: Scope, given: Arguments) -> Code:
        given.expect_keywords()
        values = [here.write(node) for node in given.positional]
        kinds = {value.kind for value in values}
        if here.mode != "build":
            return here.call_helper(name, values)
        several = kinds & {"sizes", "layers"} and kinds <= {"number", "sizes", "layers", "unknown"}
        if name == "vcat" and several and kinds & {"layers", "unknown"}:
            return here.call_helper("join_lists", values).with_kind("layers")
        if name != "vcat" or "sizes" not in kinds or not kinds <= {"number", "sizes"}:
            raise Unported("an operation on arrays outside of a function")
        entries = [Code(f"*{write_operand(value)}") if value.kind == "sizes" else value for value in values]
        return group("[", entries, "]", "sizes")

    return build


def _build_stack(here: Scope, given: Arguments) -> Code:
    """Translate ``stack(xs; dims)``, which joins the arrays of a list along a new axis, by default Julia's last."""
    xs = read_only_argument(here, given, "dims")
    if xs.kind not in ("layers", "several"):
        raise Unported("stack of something that is not a list")
    return here.call_xp("stack", [xs], {"axis": Code(read_axis(given.named["dims"]) if "dims" in given.named else "0")})


def _build_repeat(here: Scope, given: Arguments) -> Code:
    """Translate ``repeat(x, 1, 2)``, which repeats the whole array along each axis."""
    given.expect_keywords()
    array, *counts = given.positional
    times = [here.write(count) for count in counts]
    if not times or any(count.kind not in ("number", "bound", "unknown") or "*" in count.text for count in times):
        raise Unported("repeat of something other than an array and numbers")
    return here.call_xp("tile", [here.write(array), group("(", times[::-1], ")")])


def _make_fill(name: str) -> Builder:
    """Return a builder for ``zero(x)``, or for ``zeros`` or ``ones`` of another array's size (and here its dtype)."""

    def build(here: Scope, given: Arguments) -> Code:
        given.expect_keywords()
        sizes = [node for node in given.positional if read_last_name(node) not in ("Float32", "Float64")]
        like = here.write(sizes[0]) if len(sizes) == 1 else Code("")
        whole = re.fullmatch(r"\*?(\w+)\.shape\[::-1\]", like.text)
        if name == "zero" and like.kind in ("array", "bound", "unknown"):
            return here.call_xp("zeros_like", [like])
        if name == "zero" or not whole:
            raise Unported(f"{name} of sizes that are not those of an array")
        return here.call_xp(f"{name}_like", [Code(whole[1])])

    return build


def _build_slices(here: Scope, given: Arguments) -> Code:
    """Translate ``eachslice(x; dims=k)`` and Lux's ``eachslice(x, Val(k))``: the arrays along an axis."""
    given.expect_keywords("dims")
    array, *dims = expect_positional(given, 1, 2)
    axis = read_axis(_find_dimension("eachslice", given, dims))
    return here.call_xp("unstack", [here.write(array)], {"axis": Code(axis)}).with_kind("layers")


def _build_peel(here: Scope, given: Arguments) -> Code:
    """Translate ``Iterators.peel(xs)``, which returns the first entry and the others."""
    return here.call_helper("split_first", [read_only_argument(here, given)])


def _build_selectdim(here: Scope, given: Arguments) -> Code:
    """Translate ``selectdim(x, k, i)``."""
    given.expect_keywords()
    array, dim, index = expect_positional(given, 3)
    number = here.write(index)
    if number.kind != "number":
        raise Unported("selectdim of several indices")
    place = str(int(number.text) - 1) if number.text.isdigit() else f"{write_operand(number)} - 1"
    after = ", :" * (int(read_axis(dim).removeprefix("-")) - 1)
    return Code(f"{write_operand(here.write(array))}[..., {place}{after}]", "array")


SHAPING: Mapping[str, Builder] = {
    "PermutedDimsArray": _build_permutedims,
    "cat": _build_cat,
    "dropdims": _build_dropdims,
    "eachslice": _build_slices,
    "flatten": _build_flatten,
    "hcat": _make_concatenation("hcat"),
    "ndims": _build_dimensions,
    "ones": _make_fill("ones"),
    "peel": _build_peel,
    "permutedims": _build_permutedims,
    "repeat": _build_repeat,
    "reshape": _build_reshape,
    "reverse": _build_reverse,
    "selectdim": _build_selectdim,
    "size": _build_size,
    "stack": _build_stack,
    "transpose": _build_transpose,
    "unsqueeze": _build_unsqueeze,
    "vcat": _make_concatenation("vcat"),
    "vec": _build_vec,
    "zero": _make_fill("zero"),
    "zeros": _make_fill("zeros"),
}
"""The builder for each function, by its name in Julia."""
