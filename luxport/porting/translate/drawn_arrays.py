"""Translate randomly drawn arrays into an initializer and a shape, in our order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luxport.porting.translate.options import write_initializer
from luxport.porting.translate.parse import (
    Unported,
    list_parts,
    read_arguments,
    read_last_name,
    read_named_entries,
    read_text,
)
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.tables import INITIALIZERS
from luxport.porting.translate.writing import Code, group

if TYPE_CHECKING:
    from tree_sitter import Node


__all__ = ["write_drawn_array", "write_drawn_arrays", "write_scaled_initializer"]

_TYPES = ("Float32", "Float64", "T", "rng", "Random.default_rng()", "default_rng()", "Random.GLOBAL_RNG")
_WRAPPERS = ("param", "f32", "Float32", "TrackedArray", "convert")


@dataclass(frozen=True)
class _Drawn:
    """An initializer and the sizes of the array that it draws."""

    init: Code
    sizes: Code


def write_drawn_array(here: Scope, node: Node) -> Code | None:
    """Translate a randomly drawn array into a `luxport.parameter`, drawn by ``setup``; return None for other nodes."""
    found = _read_drawn(here, node)
    return found and group("luxport.parameter(", [found.init, found.sizes], ")", "drawn")


def write_drawn_arrays(here: Scope, node: Node) -> Code:
    """Translate a named tuple of drawn arrays into a dict of arrays that are drawn with ``rng``.

    Raises: Unported for anything else
    """
    if node.type == "call_expression" and read_text(node) == "NamedTuple()":
        return Code("{}")
    if node.type != "tuple_expression" or (node.named_children and node.named_children[0].type == "identifier"):
        raise Unported("initial values that are not written as a named tuple")
    entries = []
    for name, value in read_named_entries(node).items():
        if value.type == "tuple_expression":
            code = write_drawn_arrays(here, value)
        else:
            found = _read_drawn(here, value)
            if found is None:
                raise Unported(f"an initial value of {name} that is not written as a drawn array")
            code = group(f"{found.init.text}(", [Code("rng"), found.sizes], ")", "array")
        entries.append(Code(f"{name!r}: {code.text}"))
    return group("{", entries, "}", "unknown")


def _read_drawn(here: Scope, node: Node) -> _Drawn | None:
    """Read a call that draws an array, or one multiplied by a number; return None for any other node."""
    if node.type == "parenthesized_expression":
        return _read_drawn(here, node.named_children[0])
    if node.type in ("binary_expression", "juxtaposition_expression"):
        return _read_scaled(here, node)
    if node.type not in ("call_expression", "broadcast_call_expression"):
        return None
    function, given = node.named_children[0], read_arguments(node)
    name = read_last_name(function)
    if name in _WRAPPERS and len(given.positional) == 1 and not given.named and name not in here.kinds:
        return _read_drawn(here, given.positional[0])
    if node.type == "broadcast_call_expression":
        return None
    own = here.kinds.get(name) == "initializer"
    field = function.type == "field_expression" and read_text(function.named_children[0]) in here.fields
    if own:
        init = Code(here.spell(name), "function")
    elif name in INITIALIZERS and name not in here.kinds:
        init = here.name_initializer(name)
    elif field:
        init = here.write(function)
    else:
        return None
    given.expect_keywords()
    sizes = [part for part in given.positional if read_text(part) not in _TYPES]
    if len(sizes) == 1 and sizes[0].type == "tuple_expression":
        sizes = list_parts(sizes[0])
    entries = [here.write(size) for size in sizes]
    if not entries or any(entry.kind not in ("number", "unknown", "part") for entry in entries):
        raise Unported("a drawn array whose sizes are not given one by one")
    if any(entry.text.startswith("*") for entry in entries):
        raise Unported("a drawn array whose sizes are not given one by one")
    return _Drawn(init, group("(", entries[::-1], ")", "sizes"))


_SCALES = {"normal": "std", "uniform": "high", "glorot_uniform": "gain", "glorot_normal": "gain", "ones": ""}
_SCALES = {f"luxport.initializers.{name}": option for name, option in _SCALES.items()}


def _read_scaled(here: Scope, node: Node) -> _Drawn | None:
    """Read a drawn array that is multiplied or divided by a number."""
    if node.type == "juxtaposition_expression":
        (left, right), symbol = node.named_children, "*"
    else:
        left, operator, right = node.named_children
        symbol = read_text(operator).removeprefix(".")
    if symbol not in ("*", "/"):
        return None
    first, second = _read_drawn(here, left), _read_drawn(here, right)
    if (first is None) == (second is None) or (symbol == "/" and first is None):
        return None
    found, factor = (first, right) if first is not None else (second, left)
    assert found is not None
    scale = here.write(factor)
    if scale.kind not in ("number", "unknown") or found.init.text not in _SCALES:
        raise Unported("a drawn array that is changed afterwards")
    value = Code(f"1 / {scale.text if not scale.compound else f'({scale.text})'}") if symbol == "/" else scale
    if found.init.text == "luxport.initializers.ones":
        return _Drawn(Code(f"luxport.initializers.constant(value={value.text})", "function"), found.sizes)
    return _Drawn(Code(f"{found.init.text}({_SCALES[found.init.text]}={value.text})", "function"), found.sizes)


def write_scaled_initializer(here: Scope, parameters: list[Node], body: list[Node]) -> Code | None:
    """Translate a function that only draws an array, such as ``(dims...) -> 0.02f0 * randn(Float32, dims...)``."""
    if len(parameters) != 1 or len(body) != 1 or parameters[0].type != "splat_expression":
        return None
    inner = parameters[0].named_children[0]
    name = read_text(inner.named_children[0] if inner.type == "typed_expression" else inner)
    node = body[0].named_children[-1] if body[0].type == "return_statement" else body[0]
    node = _strip_conversions(node)
    if (normal := _read_normal(here, node, name)) is not None:
        return normal
    factor, drawn, symbol = None, node, "*"
    if node.type == "binary_expression":
        left, operator, right = node.named_children
        symbol = read_text(operator).removeprefix(".")
        factor, drawn = (left, right) if left.type in ("float_literal", "integer_literal") else (right, left)
        if symbol == "/" and drawn is right:
            return None
    elif node.type == "juxtaposition_expression":
        factor, drawn = node.named_children
    if symbol not in ("*", "/") or drawn.type != "call_expression":
        return None
    given = read_arguments(drawn)
    sizes = [read_text(part) for part in given.positional if read_text(part) not in _TYPES]
    if read_last_name(drawn.named_children[0]) not in INITIALIZERS:
        return None
    if sizes not in ([name], [f"{name}..."]) or given.named or given.splats:
        return None
    init = write_initializer(here, drawn.named_children[0])
    if factor is None:
        return init
    scale = here.write(factor)
    if scale.kind != "number" or not _SCALES.get(init.text):
        return None
    value = f"1 / {scale.text}" if symbol == "/" else scale.text
    return Code(f"{init.text}({_SCALES[init.text]}={value})", "initializer")


def _strip_conversions(node: Node) -> Node:
    """Return a node without brackets, ``Float32.(x)`` and ``map(Float32, x)``: here ``setup`` sets the dtype."""
    while True:
        if node.type == "parenthesized_expression":
            node = node.named_children[0]
        elif node.type == "broadcast_call_expression" and read_text(node.named_children[0]) in ("Float32", "Float64"):
            node = read_arguments(node).positional[0]
        elif node.type == "call_expression" and read_text(node).startswith(("map(Float32,", "map(Float64,")):
            node = read_arguments(node).positional[1]
        else:
            return node


def _read_normal(here: Scope, node: Node, name: str) -> Code | None:
    """Translate ``rand(Normal(mean, std), dims...)`` of Distributions.jl; return None for any other node."""
    if node.type != "call_expression" or read_last_name(node.named_children[0]) != "rand" or "rand" in here.kinds:
        return None
    given = [part for part in read_arguments(node).positional if read_text(part) not in _TYPES]
    if len(given) != 2 or read_text(given[1]) not in (name, f"{name}...") or given[0].type != "call_expression":
        return None
    distribution, values = read_text(given[0].named_children[0]), read_arguments(given[0])
    if distribution not in ("Normal", "Distributions.Normal") or len(values.positional) != 2 or values.named:
        return None
    mean, std = [here.write(value) for value in values.positional]
    if {mean.kind, std.kind} != {"number"}:
        return None
    options = f"std={std.text}" if float(mean.text) == 0 else f"mean={mean.text}, std={std.text}"
    return Code(f"luxport.initializers.normal({options})", "initializer")
