"""Functions of arrays: Julia's with its axes, as Python's with the axes reversed.

Julia's axis k is the axis -k here, whatever the number of axes. So ``size(x, 1)`` is the size of the last axis, and
``reshape(x, a, b, :)`` is a reshape to ``(-1, b, a)``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from luxport.porting.translate.parse import Arguments, Unported, last_name, text
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.tables import ACTIVATIONS, ELEMENTWISE, LOSSES
from luxport.porting.translate.writing import Code, call, group, operand, whole_number

if TYPE_CHECKING:
    from tree_sitter import Node


__all__ = ["ARRAYS", "of_elements", "rounded", "truncated"]

_COUNTS = {"clamp": 3, "ifelse": 3, "max": 2, "min": 2}


def of_elements(here: Scope, name: str, values: list[Code]) -> Code:
    """Return one of `ELEMENTWISE` on values.

    Raises: Unported for another number of values: Python's function would take another for something else
    """
    if len(values) != _COUNTS.get(name, 1):
        raise Unported(f"{name} of {len(values)} {'argument' if len(values) == 1 else 'arguments'}")
    if name == "abs2":
        return here.xp("square", [here.xp("abs", values)])
    return here.xp(ELEMENTWISE[name], values)


def _first(given: Arguments, *counts: int) -> list[Node]:
    if len(given.positional) not in counts:
        raise Unported("other arguments than expected")
    return given.positional


def _only(here: Scope, given: Arguments, *keywords: str) -> Code:
    """Return the one argument by position, beside which there may be these keywords."""
    given.only(*keywords)
    return here.code(_first(given, 1)[0])


def _axis(node: Node) -> str:
    """Return the axis of a literal dimension."""
    if text(node).startswith("Val("):
        node = node.named_children[-1].named_children[0]
    if node.type != "integer_literal":
        raise Unported("a dimension that is no number in place")
    return f"-{whole_number(text(node))}"


def _axes(node: Node) -> Code:
    """Return the axis of a literal dimension, or the axes of several."""
    if node.type != "tuple_expression":
        return Code(_axis(node))
    return group("(", [Code(_axis(entry)) for entry in reversed(node.named_children)], ")")


def _size(here: Scope, given: Arguments) -> Code:
    given.only()
    array, *dims = _first(given, 1, 2)
    x = operand(here.code(array))
    if not dims:
        return Code(f"{x}.shape[::-1]", "sizes")
    if dims[0].type == "call_expression" and last_name(dims[0].named_children[0]) == "ndims":
        return Code(f"{x}.shape[0]", "number")
    return Code(f"{x}.shape[{_axis(dims[0])}]", "number")


def _reshape(here: Scope, given: Arguments) -> Code:
    given.only()
    array, *sizes = given.positional
    if len(sizes) == 1 and sizes[0].type == "tuple_expression":
        sizes = sizes[0].named_children
    found = [Code("-1", "number") if text(size) in (":", "Colon()") else _turned(here.code(size)) for size in sizes]
    if len(found) == 1 and found[0].kind not in ("number", "turned"):
        raise Unported("a shape in a variable")
    wrong = ("layer", "layers", "function", "flag", "text", "sizes", "tree")
    if not found or any(size.kind in wrong or (size.text.startswith("*") and size.kind != "turned") for size in found):
        raise Unported("sizes in place expected")
    return here.xp("reshape", [here.code(array), group("(", found[::-1], ")", "sizes")])


def _turned(size: Code) -> Code:
    """Return sizes in a splat the other way round, as they stand in our order."""
    if not size.text.startswith("*") or size.kind != "sizes":
        return size
    inner = size.text.removesuffix("[::-1]") if size.text.endswith(".shape[::-1]") else f"{size.text}[::-1]"
    return Code(inner, "turned")


def _flatten(here: Scope, given: Arguments) -> Code:
    x = _only(here, given)
    return here.xp("reshape", [x, Code(f"({operand(x)}.shape[0], -1)")])


def _pool(name: str) -> Callable[[Scope, Arguments], Code]:
    def build(here: Scope, given: Arguments) -> Code:
        array, window = _first(given, 2)
        layer = here.source.table.layers[name](here, Arguments([window], given.named, given.splats, given.block))
        return Code(f"{layer.text}({here.code(array).text}, {{}}, {{}})[0]", "array")

    return build


def _reduction(name: str) -> Callable[[Scope, Arguments], Code]:
    def build(here: Scope, given: Arguments) -> Code:
        given.only("dims")
        *function, array = _first(given, 1, 2)
        x = here.code(array)
        if name in _OF_LISTS and not function and _is_comparison(array):  # true and false are counted
            x = here.xp("astype", [x, Code("xp.float32")])
        if function:  # sum(f, x) is sum(f.(x))
            x = _each(here, function[0], x)
        if x.kind == "sizes" and not given.named and name != "mean" and not function:
            return Code(f"{name}({x.text})", "number")
        listed = x.kind in ("layers", "several", "sizes")
        whole = "dims" not in given.named and not function and here.mode != "build"
        if whole and name in _OF_LISTS and (listed or x.kind != "array" or x.text.isidentifier()):
            return here.helper(_OF_LISTS[name], [x])  # arrays in a list are added one to the other
        if listed:
            raise Unported(f"{name} of a list")
        if "dims" not in given.named:
            return here.xp(name, [x])
        return here.xp(name, [x], {"axis": _axes(given.named["dims"]), "keepdims": Code("True")})

    return build


def _is_comparison(node: Node) -> bool:
    while node.type == "parenthesized_expression":
        node = node.named_children[0]
    symbol = text(node.named_children[1]) if node.type == "binary_expression" else ""
    return symbol in (".==", ".!=", ".≠", ".<", ".>", ".<=", ".>=", ".≤", ".≥")


_OF_LISTS = {"sum": "total", "mean": "average"}


def _each(here: Scope, function: Node, x: Code) -> Code:
    name = last_name(function)
    if name in here.kinds or here.mode == "build" or not name:
        raise Unported("a function of each element that is not known here")
    if name in ELEMENTWISE:
        return of_elements(here, name, [x])
    if name in ACTIVATIONS and "softmax" not in name:
        return call(ACTIVATIONS[name], [x], {}, "array")
    raise Unported("a function of each element that is not known here")


def _batched(here: Scope, given: Arguments) -> Code:
    given.only()
    a, b = [here.code(node) for node in _first(given, 2)]
    return Code(f"{operand(b)} @ {operand(a)}", "array", True)


def _spread(name: str) -> Callable[[Scope, Arguments], Code]:
    """``std`` and ``var``, which divide by n - 1 unless they are told otherwise."""

    def build(here: Scope, given: Arguments) -> Code:
        x = _only(here, given, "dims", "corrected")
        if x.kind in ("layers", "several", "sizes"):
            raise Unported(f"{name} of a list")
        plain = "corrected" in given.named and text(given.named["corrected"]) == "false"
        if "corrected" in given.named and not plain and text(given.named["corrected"]) != "true":
            raise Unported("a correction that is not in place")
        options = {} if plain else {"correction": Code("1", "number")}
        if "dims" in given.named:
            options |= {"axis": _axes(given.named["dims"]), "keepdims": Code("True")}
        return here.xp(name, [x], options)

    return build


def _reversed(here: Scope, given: Arguments) -> Code:
    x = _only(here, given, "dims")
    if x.kind in ("layers", "sizes"):
        return Code(f"{operand(x)}[::-1]", x.kind)
    if x.kind not in ("array", "bound") and "dims" not in given.named:
        raise Unported("reverse of what may be no array")
    return here.xp("flip", [x], {"axis": _axes(given.named["dims"])} if "dims" in given.named else None)


def _cumulated(here: Scope, given: Arguments) -> Code:
    x = _only(here, given, "dims")
    if "dims" not in given.named:
        raise Unported("cumsum without dims")
    return here.xp("cumulative_sum", [x], {"axis": Code(_axis(given.named["dims"]))})


def _stacked(here: Scope, given: Arguments) -> Code:
    """``stack(xs; dims)``: one array of those in a list, along a new axis, Julia's last unless it says which."""
    given.only("dims")
    xs = here.code(_first(given, 1)[0])
    if xs.kind not in ("layers", "several"):
        raise Unported("stack of something that is no list in place")
    return here.xp("stack", [xs], {"axis": Code(_axis(given.named["dims"]) if "dims" in given.named else "0")})


def _repeated(here: Scope, given: Arguments) -> Code:
    """``repeat(x, 1, 2)``: the whole array so often along each axis."""
    given.only()
    array, *counts = given.positional
    times = [here.code(count) for count in counts]
    if not times or any(count.kind != "number" for count in times):
        raise Unported("repeat of other than an array and numbers")
    return here.xp("tile", [here.code(array), group("(", times[::-1], ",)" if len(times) == 1 else ")")])


def _filled(name: str) -> Callable[[Scope, Arguments], Code]:
    """``zero(x)``, and ``zeros(Float32, size(x)...)`` or ``ones(size(x))`` with the dtype of that array."""

    def build(here: Scope, given: Arguments) -> Code:
        given.only()
        sizes = [node for node in given.positional if last_name(node) not in ("Float32", "Float64")]
        like = here.code(sizes[0]) if len(sizes) == 1 else Code("")
        whole = re.fullmatch(r"\*?(\w+)\.shape\[::-1\]", like.text)
        if name == "zero" and like.kind in ("array", "bound", "unknown"):
            return here.xp("zeros_like", [like])
        if name == "zero" or not whole:
            raise Unported(f"{name} of other sizes than an array's")
        return here.xp(f"{name}_like", [Code(whole[1])])

    return build


def _norm(here: Scope, given: Arguments) -> Code:
    x = _only(here, given)
    if x.kind not in ("array", "bound", "unknown"):
        raise Unported("norm of what may be no array")
    return here.xp("sqrt", [here.xp("sum", [here.xp("square", [here.xp("abs", [x])])])])


def _slices(here: Scope, given: Arguments) -> Code:
    """``eachslice(x; dims=k)`` and Lux's ``eachslice(x, Val(k))``: arrays without that axis."""
    given.only("dims")
    array, *dims = [*_first(given, 1, 2), *given.named.values()]
    if len(dims) != 1:
        raise Unported("eachslice without dims")
    found = here.xp("unstack", [here.code(array)], {"axis": Code(_axis(dims[0]))})
    return found.of_kind("layers")


def _peeled(here: Scope, given: Arguments) -> Code:
    """``Iterators.peel(xs)``: the first, and the others."""
    given.only()
    xs = here.code(_first(given, 1)[0])
    return here.helper("peeled", [xs])


def _selected(here: Scope, given: Arguments) -> Code:
    """``selectdim(x, k, i)``."""
    given.only()
    array, dim, index = _first(given, 3)
    number = here.code(index)
    if number.kind != "number":
        raise Unported("selectdim of other than one place")
    place = str(int(number.text) - 1) if number.text.isdigit() else f"{operand(number)} - 1"
    after = ", :" * (int(_axis(dim).removeprefix("-")) - 1)
    return Code(f"{operand(here.code(array))}[..., {place}{after}]", "array")


def _parity(sign: str) -> Callable[[Scope, Arguments], Code]:
    def build(here: Scope, given: Arguments) -> Code:
        x = _only(here, given)
        if x.kind != "number" and here.mode != "build":
            raise Unported("a number expected")
        return Code(f"{operand(x)} % 2 {sign} 0", "flag", True)

    return build


def _as_tuple(here: Scope, given: Arguments) -> Code:
    x = _only(here, given)
    if x.kind not in ("layers", "sizes", "several"):
        raise Unported("a tuple of something that is no list")
    return call("tuple", [x], None, x.kind)


def _as_list(here: Scope, given: Arguments) -> Code:
    x = _only(here, given)
    if x.kind not in ("layers", "sizes", "several"):
        raise Unported("collect of something that is no list")
    return x


def _product(here: Scope, given: Arguments) -> Code:
    x = _only(here, given)
    if x.kind not in ("sizes", "unknown") or here.mode != "build":
        raise Unported("a product of anything but sizes")
    return Code(f"math.prod({x.text})", "number")


def _length(here: Scope, given: Arguments) -> Code:
    x = _only(here, given)
    if x.kind not in ("sizes", "layers") and here.mode != "build":
        return Code(here.helper("entries_in", [x]).text, "number")
    return Code(f"len({x.text})", "number")


def _joined(name: str) -> Callable[[Scope, Arguments], Code]:
    def build(here: Scope, given: Arguments) -> Code:
        given.only()
        values = [here.code(node) for node in given.positional]
        kinds = {value.kind for value in values}
        if here.mode != "build":
            return here.helper(name, values)
        if name != "vcat" or "sizes" not in kinds or not kinds <= {"number", "sizes"}:
            raise Unported("an operation on arrays outside of a function")
        entries = [Code(f"*{operand(value)}") if value.kind == "sizes" else value for value in values]
        return group("[", entries, "]", "sizes")

    return build


def _cat(here: Scope, given: Arguments) -> Code:
    given.only("dims")
    dims = given.named.get("dims")
    if dims is None:
        raise Unported("cat without dims")
    return here.xp(
        "concat", [group("[", [here.code(node) for node in given.positional], "]")], {"axis": Code(_axis(dims))}
    )


def _dropdims(here: Scope, given: Arguments) -> Code:
    given.only("dims")
    if "dims" not in given.named:
        raise Unported("dropdims without dims")
    return here.xp("squeeze", [here.code(_first(given, 1)[0])], {"axis": _axes(given.named["dims"])})


def _unsqueeze(here: Scope, given: Arguments) -> Code:
    # Julia's new axis is its axis k among those of the result, which negative axes count too.
    given.only("dims")
    array, *dims = _first(given, 1, 2)  # until Flux 0.13 by position
    dims = dims or [node for name, node in given.named.items() if name == "dims"]
    if len(dims) != 1 or (len(given.positional) > 1 and given.named):
        raise Unported("unsqueeze without dims")
    return here.xp("expand_dims", [here.code(array)], {"axis": Code(_axis(dims[0]))})


def _permutedims(here: Scope, given: Arguments) -> Code:
    given.only()
    array, *order = _first(given, 1, 2)
    if not order:
        return here.helper("transposed", [here.code(array)])
    if order[0].type not in ("tuple_expression", "vector_expression"):
        raise Unported("an order that is not in place")
    places = [int(text(entry)) for entry in order[0].named_children]
    axes = [Code(str(len(places) - place)) for place in reversed(places)]
    return here.xp("permute_dims", [here.code(array), group("(", axes, ")")])


def _softmax(name: str) -> Callable[[Scope, Arguments], Code]:
    def build(here: Scope, given: Arguments) -> Code:
        given.only("dims")
        options = {"axis": Code(_axis(given.named["dims"]))} if "dims" in given.named else {}
        return call(f"luxport.ops.{name}", [here.code(_first(given, 1)[0])], options, "array")

    return build


def _dimensions(here: Scope, given: Arguments) -> Code:
    given.only()
    return Code(f"len({operand(here.code(_first(given, 1)[0]))}.shape)", "number")


def _integer(here: Scope, given: Arguments) -> Code:
    x = _only(here, given)
    if x.kind != "number":
        raise Unported("a number expected")
    return Code(f"int({x.text})", "number")


def _transpose(here: Scope, given: Arguments) -> Code:
    given.only()
    return here.helper("transposed", [here.code(_first(given, 1)[0])])


def _vec(here: Scope, given: Arguments) -> Code:
    given.only()
    return here.xp("reshape", [here.code(_first(given, 1)[0]), Code("(-1,)")])


def truncated(here: Scope, symbol: str, a: Code, b: Code) -> Code:
    """``÷`` and ``%``, which round towards zero, as Python's do for numbers that are not negative."""
    if _is_positive(a) and _is_positive(b):
        return Code(f"{operand(a)} {'//' if symbol == '÷' else '%'} {operand(b)}", "number", True)
    return here.helper("quotient" if symbol == "÷" else "remainder", [a, b]).of_kind("number")


def _is_positive(code: Code) -> bool:
    return re.fullmatch(r"(\d+(?!\w)|\w+\.shape\[-?\d+\]|len\(\w+\)|[ ()+*]|//)+", code.text) is not None


def _divided(name: str) -> Callable[[Scope, Arguments], Code]:
    """``div``, ``rem``, ``mod``, ``fld`` and ``cld`` of two numbers, which differ where one is negative."""

    def build(here: Scope, given: Arguments) -> Code:
        given.only()
        a, b = [here.code(node) for node in _first(given, 2)]
        kinds = {a.kind, b.kind} | ({"unknown"} if here.mode == "build" else set())
        if not kinds <= {"number", "unknown"} or (here.mode != "build" and kinds != {"number"}):
            raise Unported(f"{name} of what may be no number")
        if name in ("div", "rem"):
            return truncated(here, "÷" if name == "div" else "%", a, b)
        if name == "cld":
            return Code(f"-(-{operand(a)} // {operand(b)})", "number")
        return Code(f"{operand(a)} {'%' if name == 'mod' else '//'} {operand(b)}", "number", True)

    return build


def _loss(name: str) -> Callable[[Scope, Arguments], Code]:
    def build(here: Scope, given: Arguments) -> Code:
        given.only("agg", "dims")
        if here.mode != "array":
            raise Unported("a loss outside of a function of arrays")
        values = [here.code(node) for node in _first(given, 2)]
        options = {"axis": Code(_axis(given.named["dims"]))} if "dims" in given.named else {}
        if "agg" in given.named:
            agg = last_name(given.named["agg"])
            if agg not in ("mean", "sum") or agg in here.kinds:
                raise Unported("a loss that is aggregated otherwise than by mean or sum")
            options["agg"] = Code(repr(agg))
        return call(f"luxport.losses.{name}", values, options, "array")

    return build


def _is_nothing(here: Scope, given: Arguments) -> Code:
    given.only()
    return Code(f"{operand(here.code(_first(given, 1)[0]))} is None", "flag", True)


def _is_empty(here: Scope, given: Arguments) -> Code:
    x = _only(here, given)
    if x.kind not in ("sizes", "layers", "several", "keywords"):
        raise Unported("whether an array has entries")
    return Code(f"len({x.text}) == 0", "flag", True)


def _one_hot(here: Scope, given: Arguments) -> Code:
    """``onehotbatch(y, labels)`` and ``onehotbatch(y, labels, default)``."""
    given.only()
    data, labels, *default = _first(given, 2, 3)
    if here.mode == "build":
        raise Unported("arrays of data outside of a function")
    ends = _whole_range(labels)
    classes = Code(f"range({ends[0]}, {ends[1] + 1})") if ends else here.code(labels)
    return call("luxport.training.onehotbatch", [here.code(data), classes, *map(here.code, default)], None, "array")


def _one_cold(here: Scope, given: Arguments) -> Code:
    """``onecold(y)``, which counts from 1, and ``onecold(y, 0:9)``."""
    given.only()
    y, *labels = _first(given, 1, 2)
    if here.mode == "build":
        raise Unported("arrays of data outside of a function")
    ends = _whole_range(labels[0]) if labels else (1, 1)
    if ends is None:
        return call("luxport.training.onecold", [here.code(y), here.code(labels[0])], None, "unknown")
    found = call("luxport.training.onecold", [here.code(y)], None, "array")
    return Code(f"{operand(found)} + {ends[0]}", "array", True) if ends[0] else found


def _whole_range(node: Node) -> tuple[int, int] | None:
    """Return the ends of a range of whole numbers in place."""
    found = re.fullmatch(r"\(?(-?\d{1,9}):(-?\d{1,9})\)?", text(node))
    return (int(found[1]), int(found[2])) if found else None


def rounded(name: str) -> Callable[[Scope, Arguments], Code]:
    """Return what reads ``floor(Int, x)``, by Python's name of it."""

    def build(here: Scope, given: Arguments) -> Code:
        given.only()
        kind, number = _first(given, 2)
        x = here.code(number)
        if text(kind) not in ("Int", "Int64") or x.kind not in ("number", "unknown"):
            raise Unported("rounding of anything but numbers to whole ones")
        return Code(f"{name}({x.text})", "number")

    return build


ARRAYS: Mapping[str, Callable[[Scope, Arguments], Code]] = {
    "Int": _integer,
    "batched_mul": _batched,
    "Tuple": _as_tuple,
    "cat": _cat,
    "collect": _as_list,
    "cumsum": _cumulated,
    "dropdims": _dropdims,
    "eachslice": _slices,
    **{name: _divided(name) for name in ("cld", "div", "fld", "mod", "rem")},
    **{name: _loss(name) for name in LOSSES},
    "flatten": _flatten,
    "hcat": _joined("hcat"),
    "isempty": _is_empty,
    "iseven": _parity("=="),
    "isodd": _parity("!="),
    "isnothing": _is_nothing,
    "length": _length,
    "logsoftmax": _softmax("logsoftmax"),
    "maximum": _reduction("max"),
    "maxpool": _pool("MaxPool"),
    "mean": _reduction("mean"),
    "meanpool": _pool("MeanPool"),
    "minimum": _reduction("min"),
    "ndims": _dimensions,
    "norm": _norm,
    "ones": _filled("ones"),
    "PermutedDimsArray": _permutedims,
    "onecold": _one_cold,
    "onehotbatch": _one_hot,
    "permutedims": _permutedims,
    "peel": _peeled,
    "prod": _product,
    "repeat": _repeated,
    "reshape": _reshape,
    "reverse": _reversed,
    "selectdim": _selected,
    "size": _size,
    "softmax": _softmax("softmax"),
    "stack": _stacked,
    "std": _spread("std"),
    "sum": _reduction("sum"),
    "transpose": _transpose,
    "unsqueeze": _unsqueeze,
    "vcat": _joined("vcat"),
    "var": _spread("var"),
    "vec": _vec,
    "zero": _filled("zero"),
    "zeros": _filled("zeros"),
}
"""Functions of whole arrays and of sizes, by their names in Julia."""
