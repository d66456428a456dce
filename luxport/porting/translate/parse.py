"""Parse Julia source into a syntax tree, and read names, calls and their arguments from its nodes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from luxport.porting.errors import FileFormatError
from luxport.text import make_safe

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

__all__ = [
    "UNUSUAL",
    "Arguments",
    "Unported",
    "read_arguments",
    "count_line",
    "find_head",
    "find_names",
    "find_reason",
    "is_named_tuple",
    "read_last_name",
    "parse",
    "list_parts",
    "read_fields_of_names",
    "read_named_entries",
    "read_text",
    "walk_nodes",
    "write_one_line",
]


class Unported(Exception):
    """A piece of Julia code cannot be translated with certainty; the message is the reason."""


UNUSUAL = (ArithmeticError, AssertionError, AttributeError, LookupError, StopIteration, TypeError, ValueError)
"""Exceptions raised where a node has other children than expected: such a piece is reported as not ported."""


def find_reason(error: Exception) -> str:
    """Return the reason why a piece of code is not ported, from the exception that it raised."""
    return make_safe(str(error), 200) if isinstance(error, Unported) else "an unusual form"


@dataclass
class Arguments:
    """The arguments of a call: by position, by name, splatted keywords, and the body of its ``do`` block."""

    positional: list[Node] = field(default_factory=list)
    named: dict[str, Node] = field(default_factory=dict)
    splats: list[Node] = field(default_factory=list)
    block: Node | None = None

    def expect_keywords(self, *names: str) -> None:
        """Raise Unported if the call has other keywords than these, splatted keywords, or a ``do`` block."""
        unknown = [name for name in self.named if name not in names]
        if unknown or self.splats or self.block is not None:
            what = ", ".join(unknown) or ("keywords in a variable" if self.splats else "a do block")
            raise Unported(f"no counterpart of {what}")


def parse(source: str) -> Node:
    """Parse Julia source and return the root of its syntax tree.

    Raises: ImportError if Julia's grammar is not installed; FileFormatError if parsing takes too long
    """
    try:
        import tree_sitter_julia
        from tree_sitter import Language, Parser
    except ImportError as missing:
        raise ImportError(f"{missing}: Julia's grammar comes with `pip install 'luxport-nn[code]'`") from None
    parser = Parser(Language(tree_sitter_julia.language()))
    data = source.encode()
    if len(data) > _ALWAYS_QUICK:
        _check_time(parser, data)
    root = parser.parse(data).root_node
    tight = _find_misread(root) if _OPERATOR_BEFORE_BRACKET.search(source) else []
    if not tight:
        return root
    for start, end in sorted(tight, reverse=True):
        data = b" ".join((data[:start], data[start:end], data[end:]))
    return parser.parse(data).root_node


def _find_misread(root: Node) -> list[tuple[int, int]]:
    """Return where the grammar reads an operator as a function: in ``f(2-(n))`` as ``2 * -(n)``.

    It reads the same operators correctly if they have spaces around them.
    """
    found = []
    for node in walk_nodes(root):
        if node.type == "juxtaposition_expression":
            function = node.named_children[-1]
            while function.type in _CALL_SUFFIXES:
                function = function.named_children[0]
            if function.type == "operator" and read_text(function) not in _PREFIX_OPERATORS:
                found.append((function.start_byte, function.end_byte))
    return found


def walk_nodes(root: Node) -> Iterator[Node]:
    """Yield a node and all nodes below it."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending += node.named_children


_OPERATOR_BEFORE_BRACKET = re.compile(r"[\w.'][^\w\s()\[\]{},;\"]+\(")
_CALL_SUFFIXES = (
    "adjoint_expression",
    "broadcast_call_expression",
    "call_expression",
    "field_expression",
    "index_expression",
)
_PREFIX_OPERATORS = ("√", "∛", "∜", "!", "~", "¬")


_ALWAYS_QUICK = 2000
"""Sources of at most this many bytes are always parsed quickly."""
_MOST_SECONDS = 0.7


def _check_time(parser: Parser, data: bytes) -> None:
    """Raise FileFormatError if parsing takes too long, as errors in the source make it quadratic in the length.

    The parser can only be stopped when it reads the source in pieces, and the nodes of such a tree are slow to get the
    text of: so the tree is not used. The limit is CPU time of this thread, which other programs do not use up.
    """
    end = time.thread_time() + _MOST_SECONDS + len(data) / 2e6

    def is_late(*_: object) -> bool:
        return time.thread_time() > end

    def read(start: int, _: object) -> bytes:
        return b"" if is_late() else data[start : start + 4096]

    with suppress(ValueError):
        parser.parse(read, progress_callback=is_late)
    if is_late():
        raise FileFormatError("it takes too long to parse: is it Julia?")


def read_text(node: Node) -> str:
    """Return the source text of a node."""
    return (node.text or b"").decode(errors="replace")


def write_one_line(node: Node, longest: int = 160) -> str:
    """Return the source text of a node on one line, shortened if it is long."""
    return make_safe(read_text(node), longest)


def count_line(node: Node) -> int:
    """Return the number of the line on which a node begins, from 1."""
    return node.start_point[0] + 1


def read_last_name(node: Node) -> str:
    """Return a name without its modules, "" for a node that is not a name."""
    if node.type == "identifier":
        return read_text(node)
    if node.type == "field_expression" and read_text(node.named_children[0]).partition(".")[0] in _MODULES:
        return read_last_name(node.named_children[-1])
    return ""


_MODULES = {"Base", "Iterators", "LinearAlgebra", "LuxOps", "Flux", "Losses", "Lux", "LuxCore", "LuxLib", "MLUtils"}
_MODULES |= {"NNlib", "Optimisers", "Random", "Statistics", "Training", "WeightInitializers"}
"""Packages and modules whose names may stand before a function's: ``Flux.Dense``."""


def find_head(node: Node) -> Node | None:
    """Return the call in the head of a function definition, such as ``f(x)``; None if the node defines no function."""
    if node.type not in ("function_definition", "assignment") or not node.named_children:
        return None
    head = node.named_children[0]
    while head.type in ("signature", "where_expression", "typed_expression") and head.named_children:
        head = head.named_children[0]
    return head if head.type == "call_expression" else None


def find_names(node: Node) -> set[str]:
    """Return all names in a piece of source, without those of underscores alone, which Julia discards."""
    if node.type == "identifier":
        return {read_text(node)} if read_text(node).strip("_") else set()
    return set().union(*(find_names(child) for child in node.named_children)) if node.named_children else set()


def list_parts(node: Node) -> list[Node]:
    """Return the child nodes without comments: the entries of a tuple, vector or index, or the parts of a statement."""
    return [child for child in node.named_children if child.type not in ("line_comment", "block_comment")]


def read_named_entries(node: Node) -> dict[str, Node]:
    """Return the entries of a named tuple by name.

    Raises: Unported for entries without a name
    """
    found = {}
    for part in list_parts(node):
        if part.type in ("named_field", "named_argument", "assignment"):
            found[read_text(part.named_children[0])] = part.named_children[-1]
        elif part.type == "identifier":
            found[read_text(part)] = part
        elif part.type == "field_expression":
            found[read_text(part.named_children[-1])] = part
        else:
            raise Unported("a named tuple with entries that have no name")
    return found


def is_named_tuple(node: Node) -> bool:
    """Return whether a tuple has names: ``(a=1,)`` or ``(; a)``."""
    if node.type != "tuple_expression":
        return False
    return any(child.type in ("named_field", ";") for child in node.children)


def read_fields_of_names(node: Node) -> list[str]:
    """Return the names in the target of ``(; a, b) = x``, which takes the fields of these names.

    Raises: Unported for another tuple
    """
    if any(child.type != "identifier" for child in node.named_children) or not node.named_children:
        raise Unported("fields that are not taken by their names")
    return [read_text(child) for child in node.named_children]


def read_arguments(call: Node) -> Arguments:
    """Return the arguments of a call."""
    found = Arguments()
    for part in call.named_children:
        if part.type == "do_clause":
            found.block = part
        elif part.type == "argument_list":
            _read_argument_list(part, found)
    return found


def _read_argument_list(listed: Node, found: Arguments) -> None:
    named_only = False
    for child in listed.children:
        if child.type == ";":
            named_only = True
        elif child.type in ("named_argument", "named_field"):
            name, value = child.named_children[0], child.named_children[-1]
            found.named[read_text(name.named_children[0] if name.type == "typed_expression" else name)] = value
        elif child.type == "for_clause":  # a generator: the expression before `for` is not an argument itself
            if listed not in found.positional:
                found.positional[-1:] = [listed]
        elif child.type == "if_clause":
            continue
        elif child.is_named and child.type not in ("line_comment", "block_comment"):
            if not named_only:
                found.positional.append(child)
            elif child.type == "identifier":
                found.named[read_text(child)] = child
            else:
                found.splats.append(child)
