"""Find the arrays that a source draws and the inputs of its models: their shapes, dtypes and nesting."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from luxport.porting.translate.parse import (
    is_named_tuple,
    list_parts,
    read_arguments,
    read_last_name,
    read_named_entries,
    read_text,
    walk_nodes,
)

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["Drawn", "DrawnInputs", "list_inputs"]

_MOST = 40


@dataclass(frozen=True)
class Drawn:
    """An array: its shape in our order, and whether its entries are integers."""

    shape: tuple[int, ...]
    whole: bool = False


DrawnInputs: TypeAlias = "Drawn | tuple[DrawnInputs, ...] | dict[str, DrawnInputs]"


def list_inputs(root: Node) -> list[DrawnInputs]:
    """Return inputs to try models on: first several arrays that one call is given, then each array alone.

    Only arrays whose sizes are all known are used: literals, or variables of the file.
    """
    numbers = _find_numbers(root)
    found: dict[str, DrawnInputs] = {}
    arrays: dict[str, DrawnInputs] = {}
    for node in walk_nodes(root):
        if (drawn := _find_drawn(node, numbers)) is not None:
            found[repr(drawn)] = drawn
        if node.type == "assignment" and node.named_children[0].type == "identifier":
            value = _read_tree(node.named_children[-1], {}, numbers)
            if value is not None:
                arrays.setdefault(read_text(node.named_children[0]), value)
        if node.type == "tuple_expression" and (size := _read_image(node)):
            found.setdefault(repr(size), size)
    several = {repr(given): given for given in _yield_call_inputs(root, arrays, numbers)}
    return [*list(several.values())[:_MOST], *list(found.values())[:_MOST]]


def _yield_call_inputs(
    root: Node, arrays: Mapping[str, DrawnInputs], numbers: Mapping[str, int]
) -> Iterator[DrawnInputs]:
    """Yield the arguments of calls that are given several arrays, or a tuple of them."""
    for node in walk_nodes(root):
        if node.type != "call_expression":
            continue
        values = [_read_tree(value, arrays, numbers) for value in read_arguments(node).positional]
        if read_last_name(node.named_children[0]) == "apply" and len(values) == 4:
            values = values[1:2]
        elif len(values) == 3 and values[0] is not None and values[1:] == [None, None]:  # the model's ps and st
            values = values[:1]
        known = [value for value in values if value is not None]
        if not known or len(known) < len(values):
            continue
        if len(known) > 1 and read_last_name(node.named_children[0]) not in _NOT_MODELS:
            yield tuple(known)
        elif len(known) == 1 and not isinstance(known[0], Drawn):
            yield known[0]


_NOT_MODELS = ("cat", "hcat", "vcat", "batched_mul", "mse", "crossentropy", "logitcrossentropy", "DataLoader", "zip")


def _read_tree(node: Node, arrays: Mapping[str, DrawnInputs], numbers: Mapping[str, int]) -> DrawnInputs | None:
    """Read an array, a variable of one, or a tuple of them; return None for anything else."""
    if node.type == "identifier":
        return arrays.get(read_text(node))
    if node.type == "parenthesized_expression":
        return _read_tree(node.named_children[0], arrays, numbers)
    if node.type == "binary_expression" and read_text(node.named_children[1]) == "|>":
        return _read_tree(node.named_children[0], arrays, numbers)
    if node.type == "tuple_expression":
        if is_named_tuple(node):
            if any(child.type != "named_field" for child in node.named_children):
                return None
            named = {key: _read_tree(value, arrays, numbers) for key, value in read_named_entries(node).items()}
            return {k: v for k, v in named.items() if v is not None} if named and None not in named.values() else None
        entries = [_read_tree(entry, arrays, numbers) for entry in list_parts(node)]
        return tuple(entry for entry in entries if entry is not None) if entries and None not in entries else None
    if node.type == "call_expression" and read_last_name(node.named_children[0]) in _IDENTITIES:
        given = read_arguments(node).positional
        return _read_tree(given[0], arrays, numbers) if len(given) == 1 else None
    return _find_drawn(node, numbers)


_IDENTITIES = ("gpu", "cpu", "dev", "device", "f32", "f64", "cu", "CuArray", "Float32", "to_device")


def _find_drawn(node: Node, numbers: Mapping[str, int]) -> Drawn | None:
    if node.type != "call_expression" or (name := read_last_name(node.named_children[0])) not in _ARRAYS:
        return None
    sizes = [read_text(value) for value in read_arguments(node).positional if read_text(value) not in _NOT_SIZES]
    whole = False
    if sizes and re.fullmatch(r"\(?\d+:\w+\)?|Int\d*|UInt\d*", sizes[0]):
        sizes, whole = sizes[1:], True
    if name == "reshape":
        sizes = ["2" if size == ":" and place == len(sizes) - 2 else size for place, size in enumerate(sizes[1:])]
    known = [numbers.get(size, size) for size in sizes]
    if not known or not all(re.fullmatch(r"[1-9]\d{0,5}", str(size)) for size in known):
        return None
    return Drawn(tuple(int(size) for size in known[::-1]), whole)


_ARRAYS = ("ones", "ones32", "rand", "rand32", "randn", "randn32", "reshape", "zeros", "zeros32")
_NOT_SIZES = ("Float32", "Float64", "rng", "Random.default_rng()", "default_rng()", "Random.GLOBAL_RNG", "Xoshiro(0)")


def _read_image(node: Node) -> Drawn | None:
    """Read the literal size of images, ``(28, 28, 1)``, with or without the size of the batch."""
    sizes = [read_text(child) for child in node.named_children]
    if len(sizes) not in (3, 4) or not all(re.fullmatch(r"[1-9]\d{0,3}", size) for size in sizes):
        return None
    shape = tuple(int(size) for size in sizes[::-1])
    return Drawn(shape if len(shape) == 4 else (2, *shape)) if max(shape) > 7 else None


def _find_numbers(root: Node) -> dict[str, int]:
    """Return the variables of a file whose only value is a positive integer."""
    found: dict[str, set[str]] = {}
    for node in walk_nodes(root):
        if node.type == "assignment" and node.named_children[0].type == "identifier":
            found.setdefault(read_text(node.named_children[0]), set()).add(read_text(node.named_children[-1]))
    alone = {name: values.pop() for name, values in found.items() if len(values) == 1}
    return {name: int(value) for name, value in alone.items() if re.fullmatch(r"[1-9]\d{0,5}", value)}
