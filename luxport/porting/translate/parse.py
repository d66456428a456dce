"""Julia source as a syntax tree, and the parts of its calls."""

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
    """A piece of Julia that has no certain counterpart, with the reason."""


UNUSUAL = (ArithmeticError, AssertionError, AttributeError, LookupError, StopIteration, TypeError, ValueError)
"""What comes of a form of the grammar with other parts than expected: it is as little understood as an unknown one."""


def find_reason(error: Exception) -> str:
    """Return why a piece is not ported."""
    return make_safe(str(error), 200) if isinstance(error, Unported) else "an unusual form"


@dataclass
class Arguments:
    """What a call hands over: by position, by name, and the body of its ``do`` block."""

    positional: list[Node] = field(default_factory=list)
    named: dict[str, Node] = field(default_factory=dict)
    splats: list[Node] = field(default_factory=list)
    block: Node | None = None

    def expect_keywords(self, *names: str) -> None:
        """Expect no other keywords than these.

        Raises: Unported
        """
        unknown = [name for name in self.named if name not in names]
        if unknown or self.splats or self.block is not None:
            what = ", ".join(unknown) or ("keywords in a variable" if self.splats else "a do block")
            raise Unported(f"no counterpart of {what}")


def parse(source: str) -> Node:
    """Return the root of the syntax tree.

    Raises: ImportError, with what to install, without the grammar; FileFormatError if parsing takes too long
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
    """Return where operators stand that the grammar takes for functions: ``f(2-(n))`` is no ``2 * -(n)``.

    With spaces around them it reads them rightly.
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
    """Yield a node and all nodes in it."""
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
"""How many bytes are parsed in no time, whatever they are."""
_MOST_SECONDS = 0.7


def _check_time(parser: Parser, data: bytes) -> None:
    """Parse for some time only: with errors the parser takes the square of the length.

    It can be stopped only where it reads piece by piece, and such a tree is slow to ask for its text. What counts is
    the time of this thread: on a machine that is busy with other things, parsing takes no more of it.
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
    """Return the source of a node."""
    return (node.text or b"").decode(errors="replace")


def write_one_line(node: Node, longest: int = 160) -> str:
    """Return the source of a node on one line, cut where it is long."""
    return make_safe(read_text(node), longest)


def count_line(node: Node) -> int:
    """Return the line on which a node begins, from 1."""
    return node.start_point[0] + 1


def read_last_name(node: Node) -> str:
    """Return a name without its modules, nothing for what is no name."""
    if node.type == "identifier":
        return read_text(node)
    if node.type == "field_expression" and read_text(node.named_children[0]).partition(".")[0] in _MODULES:
        return read_last_name(node.named_children[-1])
    return ""


_MODULES = {
    "Base",
    "Iterators",
    "LinearAlgebra",
    "LuxOps",
    "Flux",
    "Losses",
    "Lux",
    "LuxCore",
    "LuxLib",
    "MLUtils",
    "NNlib",
    "Optimisers",
    "Random",
    "Statistics",
    "Training",
    "WeightInitializers",
}


def find_head(node: Node) -> Node | None:
    """Return the call that the head of a function's definition looks like, None for what defines no function."""
    if node.type not in ("function_definition", "assignment") or not node.named_children:
        return None
    head = node.named_children[0]
    while head.type in ("signature", "where_expression", "typed_expression") and head.named_children:
        head = head.named_children[0]
    return head if head.type == "call_expression" else None


def find_names(node: Node) -> set[str]:
    """Return every name in a piece of source; those of underscores alone name nothing in Julia."""
    if node.type == "identifier":
        return {read_text(node)} if read_text(node).strip("_") else set()
    return set().union(*(find_names(child) for child in node.named_children)) if node.named_children else set()


def list_parts(node: Node) -> list[Node]:
    """Return the entries of a tuple, a vector or an index, or what a statement is made of; not the remarks."""
    return [child for child in node.named_children if child.type not in ("line_comment", "block_comment")]


def read_named_entries(node: Node) -> dict[str, Node]:
    """Return the entries of a named tuple.

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
            raise Unported("a named tuple with other entries")
    return found


def is_named_tuple(node: Node) -> bool:
    """Whether a tuple has names: ``(a=1,)`` or ``(; a)``."""
    if node.type != "tuple_expression":
        return False
    return any(child.type in ("named_field", ";") for child in node.children)


def read_fields_of_names(node: Node) -> list[str]:
    """Return the names in ``(; a, b)``, which takes fields of these names.

    Raises: Unported for another tuple
    """
    if any(child.type != "identifier" for child in node.named_children) or not node.named_children:
        raise Unported("fields taken out by other than their names")
    return [read_text(child) for child in node.named_children]


def read_arguments(call: Node) -> Arguments:
    """Return what a call hands over."""
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
        elif child.type == "for_clause":  # what was read before it is made anew in each round
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
