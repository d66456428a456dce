"""Translate NNlib's functions that `luxport.ops` has, too: padding, upsampling, gather and scatter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from luxport.porting.translate.options import expect_positional, read_axis, write_pairs
from luxport.porting.translate.parse import Arguments, Unported, list_parts, read_text
from luxport.porting.translate.scope import Builder, Scope
from luxport.porting.translate.writing import Code, call, group

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["NNLIB", "NNLIB_NAMES"]


def _write_array(here: Scope, node: Node) -> Code:
    x = here.write(node)
    if here.mode == "build" or x.kind not in ("array", "bound", "unknown"):
        raise Unported("an operation on a value that may not be an array")
    return x


def _make_pad(name: str, every: bool) -> Builder:
    """Return a builder for paddings: ``pad_zeros(x, (1, 1, 2, 2); dims = [1, 2])``, or one number for all sides.

    Args:
        name: luxport's name of the function
        every: whether all axes are padded without dims, instead of only the first ones, as many as the sizes are for
    """

    def build(here: Scope, given: Arguments) -> Code:
        given.expect_keywords("dims")
        array, pad, *value = expect_positional(given, 2, 3 if name == "pad_constant" else 2)
        options: dict[str, Code] = {}
        dims = _read_dims(given.named["dims"]) if "dims" in given.named else None
        if pad.type == "tuple_expression":
            options["padding"], count = _read_sides(here, pad, None if dims is None else len(dims))
            if dims is None and every:
                raise Unported("a padding of some axes without dims")
            dims = list(range(1, count + 1)) if dims is None else dims
        else:
            options["padding"] = here.write(pad)
            if options["padding"].kind != "number":
                raise Unported("a padding that is not a literal")
        if value:
            options["value"] = here.write(value[0])
        if dims is not None:
            options["axes"] = group("(", [Code(str(-dim)) for dim in reversed(dims)], ")", "sizes")
        return call(f"luxport.ops.{name}", [_write_array(here, array)], options, "array")

    return build


def _read_dims(node: Node) -> list[int]:
    """Read literal dimensions: one, a list, or a range from 1."""
    if node.type == "range_expression" and len(node.named_children) == 2:
        first, last = [read_text(end) for end in node.named_children]
        if first == "1" and last in ("2", "3", "4"):
            return list(range(1, int(last) + 1))
    entries = list_parts(node) if node.type in ("tuple_expression", "vector_expression") else [node]
    return [-int(read_axis(entry)) for entry in entries]


def _read_sides(here: Scope, pad: Node, axes: int | None) -> tuple[Code, int]:
    """Translate the padding before and after each axis, into our order, and return it with the number of axes."""
    entries = [here.write(entry) for entry in list_parts(pad)]
    if any(entry.kind != "number" for entry in entries):
        raise Unported("a padding that is not a literal")
    if axes is not None and len(entries) == axes:
        return group("(", entries[::-1], ")", "sizes"), axes
    if len(entries) % 2 or (axes is not None and len(entries) != 2 * axes):
        raise Unported("a padding for another number of axes")
    return write_pairs(entries), len(entries) // 2


def _build_glu(here: Scope, given: Arguments) -> Code:
    given.expect_keywords()
    array, *dim = expect_positional(given, 1, 2)
    return call(
        "luxport.ops.glu", [_write_array(here, array)], {"axis": Code(read_axis(dim[0]))} if dim else {}, "array"
    )


def _build_pixel_shuffle(here: Scope, given: Arguments) -> Code:
    given.expect_keywords()
    array, factor = expect_positional(given, 2)
    return call("luxport.ops.pixel_shuffle", [_write_array(here, array)], {"factor": here.write(factor)}, "array")


def _make_upsample(name: str) -> Builder:
    def build(here: Scope, given: Arguments) -> Code:
        given.expect_keywords("size")
        array, *scale = expect_positional(given, 1, 2)
        sizes = {"scale": scale[0]} if scale else given.named
        if len(sizes) != 1 or (scale and given.named):
            raise Unported("a scale or a size expected")
        options = {key: here.write_sizes(node) for key, node in sizes.items()}
        return call(f"luxport.ops.{name}", [_write_array(here, array)], options, "array")

    return build


def _build_gather(here: Scope, given: Arguments) -> Code:
    """Translate ``gather(x, i)``. The indices are data, which must count from 0 here."""
    given.expect_keywords()
    array, indices = expect_positional(given, 2)
    return call("luxport.ops.gather", [_write_array(here, array), _write_array(here, indices)], None, "array")


def _build_scatter(here: Scope, given: Arguments) -> Code:
    """Translate ``scatter(+, x, i; dstsize = n)``."""
    given.expect_keywords("dstsize")
    op, array, indices = expect_positional(given, 3)
    name = read_text(op)
    if name not in _REDUCTIONS:
        raise Unported("a reduction that is not known here")
    options = {"op": Code(repr(name))}
    if "dstsize" in given.named:
        size = given.named["dstsize"]
        options["size"] = here.write(list_parts(size)[-1] if size.type == "tuple_expression" else size)
        if options["size"].kind not in ("bound", "number", "unknown"):
            raise Unported("a size that is not a literal")
    return call("luxport.ops.scatter", [_write_array(here, array), _write_array(here, indices)], options, "array")


_REDUCTIONS = ("+", "-", "*", "/", "max", "min", "mean")


NNLIB: Mapping[str, Builder] = {
    "gather": _build_gather,
    "glu": _build_glu,
    "pad_circular": _make_pad("pad_circular", False),
    "pad_constant": _make_pad("pad_constant", True),
    "pad_reflect": _make_pad("pad_reflect", False),
    "pad_repeat": _make_pad("pad_edge", False),
    "pad_symmetric": _make_pad("pad_symmetric", False),
    "pad_zeros": _make_pad("pad_zeros", True),
    "pixel_shuffle": _build_pixel_shuffle,
    "scatter": _build_scatter,
    "upsample_bilinear": _make_upsample("upsample_bilinear"),
    "upsample_nearest": _make_upsample("upsample_nearest"),
    "upsample_trilinear": _make_upsample("upsample_trilinear"),
}
NNLIB_NAMES = ("gather", "glu", "pad_circular", "pad_constant", "pad_edge", "pad_reflect", "pad_symmetric", "pad_zeros")
NNLIB_NAMES += ("pixel_shuffle", "scatter", "upsample_bilinear", "upsample_nearest", "upsample_trilinear")
"""The names of these functions in `luxport.ops`."""
