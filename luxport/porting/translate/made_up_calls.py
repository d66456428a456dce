"""Make up calls, with small sizes, of functions that make layers but are never called, so that they can be tried."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from luxport.porting.translate.definitions import find_signature, split_definition
from luxport.porting.translate.parse import Unported, read_text, walk_nodes

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["make_up_calls"]


def make_up_calls(root: Node, names: set[str]) -> Iterator[tuple[str, str]]:
    """Yield functions of these names, each with a call in Julia; a function may have several, the likeliest first."""
    for node in walk_nodes(root):
        head = find_signature(node)
        if head is None or (name := read_text(head.named_children[0])) not in names:
            continue
        parameters, _ = split_definition(node)
        try:
            yield from ((name, call) for call in dict.fromkeys(_make_up_calls(name, parameters)))
        except Unported:  # no value is known for a parameter
            continue


def _make_up_calls(name: str, parameters: list[Node]) -> Iterator[str]:
    split = next((i for i, node in enumerate(parameters) if node.type == ";"), len(parameters))
    required = [node for node in parameters[:split] if node.type in ("identifier", "typed_expression")]
    options = [node for node in parameters[split + 1 :] if node.type in ("identifier", "typed_expression")]
    if not required and not options:
        return
    for of_channels in ("8", "8 => 8"):
        values = [_make_up_value(node, of_channels) for node in required]
        named = [f"{_read_name(node)} = {_make_up_value(node, of_channels)}" for node in options]
        yield f"{name}({', '.join(values)}{'; ' if named else ''}{', '.join(named)})"


def _read_name(node: Node) -> str:
    return read_text(node if node.type == "identifier" else node.named_children[0])


def _make_up_value(node: Node, of_channels: str) -> str:
    """Return a value for a parameter, by its declared type or its name."""
    name = _read_name(node).lower()
    if re.search(r"connection|shortcut|fusion|combin|^merge", name):
        return "+"
    if node.type == "typed_expression":
        kind = read_text(node.named_children[-1])
        for pattern, value in _BY_TYPE.items():
            if re.match(pattern, kind):
                return _make_up_size(name) if value == "8" else value
        if kind not in ("Any", "Number"):
            raise Unported(f"a parameter of the type {kind}")
    for pattern, value in _BY_NAME.items():
        if re.search(pattern, name):
            return of_channels if value == "channels" else value
    return "8"


def _make_up_size(name: str) -> str:
    """Return a size: a small one if the name is of something that is never numerous."""
    return "2" if re.search(r"head|group|depth|layer|block|stride|repeat|pad|scale|factor|ratio|reduc", name) else "8"


_BY_TYPE = {
    r"(Int|Int64|Int32|Integer|Real|Number|<:Integer)$": "8",
    r"Pair": "8 => 8",
    r"(NTuple\{2|Tuple\{Int(eger|64)?, *Int|Dims\{2)": "(3, 3)",
    r"(NTuple|Tuple|Dims)": "(3, 3)",
    r"(Abstract)?Vector\{(<:)?Int": "[8, 8]",
    r"(Float32|Float64|AbstractFloat)$": "0.5",
    r"Bool$": "true",
    r"(Function|F|Base.Callable)$": "relu",
}
_BY_NAME = {
    r"^nn$|net$|model|enc|dec|^layer$|chain|mlp": "Dense(8 => 8)",
    r"kernel|filter_?size|window|ksize|^k$": "(3, 3)",
    r"act|^σ|^f$|^fn$|nonlin": "relu",
    r"drop|prob|rate|slope": "0.5",
    r"init": "glorot_uniform",
    r"head|group|depth|layers|block|stride|repeat|pad|scale|factor|ratio|reduc": "2",
    r"bias|norm$|use_|is_|training": "true",
    r"chan|^ch|ch$|=>|^filters|^io": "channels",
}
"""A value for a parameter, by a pattern of its name."""
