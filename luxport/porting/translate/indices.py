"""Translate indices, which count from 0 here, and vectors that are allocated to be filled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from luxport.porting.translate.parse import Arguments, Unported, find_names, list_parts, read_last_name, read_text
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.writing import Code, write_operand

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["add_one", "build_undefined", "build_view", "write_place", "write_next_place", "write_index"]


_ELEMENTS = {"Any", "Float32", "Float64", "Int"}


def write_index(here: Scope, node: Node) -> Code:
    """Translate an index expression: an entry or a part of a sequence or an array."""
    base, brackets = node.named_children
    kind = read_last_name(base)
    if (kind in _ELEMENTS and kind not in here.kinds) or (kind in here.source.structs and not list_parts(brackets)):
        return here.write(brackets)
    return _write_index(here, here.write(base), list_parts(brackets))


def build_view(here: Scope, given: Arguments) -> Code:
    """Translate ``view(x, :, 1)``."""
    given.expect_keywords()
    base, *entries = given.positional
    return _write_index(here, here.write(base), entries)


def _write_index(here: Scope, value: Code, entries: list[Node]) -> Code:
    if len(entries) > 1:
        if value.kind not in ("array", "unknown", "bound", "part", "tree") or here.mode == "build":
            raise Unported("several indices of something that is not an array")
        places = [write_place(here, entry) for entry in reversed(entries)]
        return Code(f"{write_operand(value)}[{', '.join(places)}]", "array")
    if not entries:
        raise Unported("no index")
    if value.kind == "table":
        return Code(f"{write_operand(value)}[{here.write(entries[0]).text}]", "unknown")
    if entries[0].type == "quote_expression":
        if value.kind != "bound":
            raise Unported("an index that is a name")
        return here.call_helper("get_item", [value, here.write(entries[0])]).with_kind("bound")
    where = write_place(here, entries[0])
    if value.kind == "sizes":
        return Code(f"{write_operand(value)}[{where}]", "sizes" if ":" in where else "number")
    if value.kind in ("layers", "several") or here.mode == "build":
        return Code(f"{write_operand(value)}[{where}]", value.kind if ":" in where else "unknown")
    if ":" in where:
        where = f"slice({', '.join([end or 'None' for end in where.split(':')])})"
    kind = "bound" if value.kind in ("bound", "part") else "unknown"
    return here.call_helper("get_item", [value, Code(where)]).with_kind(kind)


def write_place(here: Scope, node: Node) -> str:
    """Return an index or a range of indices, counted from 0."""
    if read_text(node) == ":":
        return ":"
    if node.type == "parenthesized_expression":
        return write_place(here, node.named_children[0])
    if node.type == "range_expression" and len(node.named_children) == 2:
        first, last = node.named_children
        if first.type == "range_expression":
            start, step = first.named_children
            return _write_step(here, start, step, last)
        start, stop = write_place(here, first), "" if read_text(last) == "end" else write_place(here, last)
        if stop.startswith("-"):  # Julia's range includes its end, so it stops after that index
            return f"{start}:{int(stop) + 1}"
        end = stop and write_next_place(stop)
        return f"{start}:{end}"
    if read_text(node) == "end":
        return "-1"
    found = re.fullmatch(r"end\s*-\s*(\d+)", read_text(node))
    if found:
        return str(-1 - int(found[1]))
    if "end" in find_names(node):
        raise Unported("an index computed from the end")
    code = here.write(node)
    if code.kind not in ("number", "unknown"):
        raise Unported("an index that is not a number")
    if code.kind == "unknown" and here.mode != "build":
        raise Unported("an index that may not be a number")
    if code.text.endswith(" + 1") and " " not in code.text.removesuffix(" + 1"):
        return code.text.removesuffix(" + 1")
    return str(int(code.text) - 1) if code.text.isdigit() else f"{write_operand(code)} - 1"


def write_next_place(where: str) -> str:
    """Return the index after one that `write_place` has returned."""
    return add_one(Code(where, "number", True))


def build_undefined(here: Scope, julia: str, given: Arguments) -> Code:
    """Translate ``Vector{Any}(undef, n)``, a vector to be filled, and ``Vector{Any}()``.

    Raises: Unported for other arguments
    """
    given.expect_keywords()
    kind = "sizes" if julia.partition("{")[2].startswith("Int") else "layers"
    if not given.positional:
        return Code("[]", kind)
    undef, *sizes = given.positional
    if read_text(undef) != "undef" or len(sizes) != 1:
        raise Unported("a vector with initial values")
    count = here.write(sizes[0])
    if count.kind not in ("number", "unknown"):
        raise Unported("a number expected")
    return Code(f"[None for _ in range({count.text})]", kind)


def _write_step(here: Scope, first: Node, step: Node, last: Node) -> str:
    """Translate a range with a step, ``1:2:end``. Only lists are reversed: arrays take no negative step."""
    by = read_text(step)
    if by == "-1" and read_text(first) == "end" and read_text(last) == "1" and here.mode == "build":
        return "::-1"
    if not by.isdigit() or by == "0":
        raise Unported("a range with a step that is not a positive literal")
    start = write_place(here, first)
    stop = "" if read_text(last) == "end" else write_place(here, last)
    if start.startswith("-") or stop.startswith("-"):
        raise Unported("a range with a step, counted from the end")
    return f"{start}:{stop and write_next_place(stop)}:{by}"


def add_one(number: Code) -> str:
    """Return a number plus one, simplified where possible."""
    if number.text.isdigit():
        return str(int(number.text) + 1)
    looser = any(sign in number.text for sign in _LOOSER)
    if number.text.endswith(" - 1") and not looser:
        return number.text.removesuffix(" - 1")
    return f"{write_operand(number) if looser else number.text} + 1"


_LOOSER = (" if ", " or ", " and ", " | ", " & ", " ^ ", " << ", " >> ")
"""Operators of lower precedence than addition."""
