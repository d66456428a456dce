"""Choose the constructor of a struct that a call means, among those of the file and Julia's default ones."""

from __future__ import annotations

from collections.abc import Sequence

from luxport.porting.translate.parse import Arguments, Unported, count_line, read_text
from luxport.porting.translate.signatures import ANY_NUMBER, Method
from luxport.porting.translate.structs import Struct

__all__ = ["find_constructor", "list_own_constructors"]

_NUMBERS = {"Int", "Integer", "Int64", "Int32", "Real", "Number", "IntegerType"}


def find_constructor(struct: Struct, given: Arguments, kinds: Sequence[str]) -> str:
    """Return the Python name of the constructor that a call means.

    Raises: Unported if that is ambiguous
    """
    count, named = len(given.positional), set(given.named)
    if any(node.type == "splat_expression" for node in given.positional):
        raise Unported(f"{struct.name} of a splat")
    fitting = [entry for entry in struct.constructors if entry.can_take(given)]
    if any(entry.most < 0 for entry in struct.constructors):
        raise Unported(f"{struct.name}, which has constructors for explicit type parameters")
    if struct.inner:
        by_fields = False
    elif struct.by_keyword and not count:
        by_fields = named <= set(struct.fields)
    else:
        by_fields = count == len(struct.fields) and not named
    if by_fields:  # in Julia a method with a fixed number of parameters goes before one with a splat
        fitting = [entry for entry in fitting if entry.most < ANY_NUMBER]
    if by_fields and fitting:
        if any(kind in ("layer", "layers", "drawn", "array") for kind in kinds):
            return struct.python
        if struct.chooser and "unknown" in kinds:
            return struct.chooser
        if len(fitting) == 1 and _is_match(fitting[0], kinds):
            return fitting[0].python
        if struct.chooser:
            return struct.chooser
        raise Unported(f"it is ambiguous which constructor of {struct.name} is called")
    if by_fields:
        return struct.python
    if len(fitting) == 1:
        return fitting[0].python
    if fitting and struct.chooser:
        return struct.chooser
    raise Unported(
        f"no constructor of {struct.name} is known for this call, or several (line {count_line(struct.node)})"
    )


def list_own_constructors(struct: Struct) -> list[Method]:
    """Return the default constructors of Julia: for the declared types and, without type parameters, for any types.

    Constructors that a file defines for the same types replace them.
    """
    if struct.inner or struct.by_keyword:
        return []
    count = len(struct.fields)
    declared = tuple(read_text(kind) if kind is not None else "" for kind in struct.fields.values())
    kinds = [declared] if struct.has_parameters else [("",) * count, declared]
    return [Method(struct.node, struct.python, count, count, frozenset(), one) for one in dict.fromkeys(kinds)]


def _is_match(entry: Method, kinds: Sequence[str]) -> bool:
    """Return whether the declared types of a constructor show that arguments of these kinds are meant for it."""
    declared = 0
    for kind, julia in zip(kinds, [one.partition("{")[0] for one in entry.declared], strict=False):
        wanted = "number" if julia in _NUMBERS else {"Pair": "pair", "Bool": "flag"}.get(julia, "")
        if wanted and kind not in (wanted, "unknown"):
            return False
        declared += bool(wanted)
    return declared > 0
