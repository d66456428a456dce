"""Functions with several methods in Julia.

The number of arguments chooses the method during translation if it can, else their kinds do at run time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from luxport.porting.translate.constructors import list_own_constructors
from luxport.porting.translate.parse import Arguments, Unported, find_head, read_text
from luxport.porting.translate.signatures import ANY_NUMBER, Method, read_method
from luxport.porting.translate.structs import Struct
from luxport.porting.translate.writing import name_in_python

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = [
    "choose_by_types",
    "choose_method",
    "find_methods",
    "write_fitting_test",
    "is_dispatched",
    "is_foreign",
    "order_methods",
    "write_chooser",
    "write_dispatcher",
]

_LAYERS = (
    *("BatchNorm", "Bilinear", "Chain", "Conv", "ConvTranspose", "CrossCor", "Dense", "Dropout", "Embedding"),
    *("GroupNorm", "InstanceNorm", "LayerNorm", "MaxPool", "MeanPool", "MultiHeadAttention", "Parallel", "Scale"),
    "SkipConnection",
)
_KINDS = {
    **dict.fromkeys(("Int", "Int32", "Int64", "Integer", "Signed", "Unsigned", "UInt", "UInt32", "UInt64"), "whole"),
    **dict.fromkeys(("AbstractFloat", "Float16", "Float32", "Float64"), "fraction"),
    **dict.fromkeys(("Number", "Real"), "number"),
    **dict.fromkeys(("AbstractString", "String", "Symbol"), "text"),
    **dict.fromkeys(("Dims", "NTuple", "Tuple"), "tuple"),
    **dict.fromkeys(("AbstractArray", "Array", "DenseArray"), "array"),
    **dict.fromkeys(("AbstractVecOrMat", "VecOrMat"), "vector or matrix"),
    **dict.fromkeys(("AbstractMatrix", "Matrix"), 2),
    **dict.fromkeys(("AbstractVector", "Vector"), 1),
    **dict.fromkeys(("AbstractExplicitLayer", "AbstractLuxLayer"), "layer"),
    **{name: f"luxport.{name}" for name in _LAYERS},
    "Any": "any",
    "Bool": "flag",
    "Function": "function",
    "NamedTuple": "names",
    "Nothing": "nothing",
}
"""The kinds that the helper `is_kind` tests, by the names of Julia's types. A number is an array's number of axes."""

_SUPERTYPES = {kind: "layer" for kind in map(str, _KINDS.values()) if kind.startswith("luxport.")}
_SUPERTYPES |= {"whole": "number", "fraction": "number", "flag": "number", "vector or matrix": "array"}


def find_methods(statements: Sequence[Node], structs: Mapping[str, Struct]) -> dict[str, list[Method]]:
    """Return the functions with several methods, each method with its Python name, "" if nothing tells them apart.

    If the number of arguments tells the methods apart, they are called name, name_2 and so on, and each call uses the
    one it means. Otherwise they are name_1, name_2 and so on, and name chooses at run time: see `write_dispatcher`.
    """
    found: dict[str, list[Method]] = {}
    for node in statements:
        head = find_head(node)
        if head is not None and head.named_children[0].type == "identifier":
            name = read_text(head.named_children[0])
            if name not in structs:
                found.setdefault(name, []).append(read_method(node))
    several = {name: methods for name, methods in found.items() if len(methods) > 1}
    for name, methods in several.items():
        counts = sorted((entry.least, entry.most) for entry in methods)
        plain = name_in_python(name)
        if all(before[1] < after[0] for before, after in pairwise(counts)):
            for position, entry in enumerate(methods, 1):
                entry.python = plain + (f"_{position}" if position > 1 else "")
        elif order_methods(methods):
            for position, entry in enumerate(methods, 1):
                entry.python = f"{plain}_{position}"
    return several


def is_dispatched(name: str, methods: Sequence[Method]) -> bool:
    """Return whether the method is chosen at run time."""
    return bool(methods) and methods[0].python not in ("", name_in_python(name))


def choose_method(name: str, methods: Sequence[Method], given: Arguments) -> str:
    """Return the Python name of the method that a call means, or of the function that chooses one at run time.

    Raises: Unported if that is ambiguous
    """
    if is_dispatched(name, methods):
        return name_in_python(name)
    if given.splats or any(node.type == "splat_expression" for node in given.positional):
        raise Unported(f"it is ambiguous which method of {name} is called")
    fitting = [entry for entry in methods if entry.can_take(given)]
    if len(fitting) != 1:
        raise Unported(f"it is ambiguous which method of {name} is called")
    return fitting[0].python


def choose_by_types(structs: Iterable[Struct]) -> None:
    """Name the function that chooses among a struct's constructors, for structs where the types tell them apart."""
    for struct in structs:
        own = list_own_constructors(struct)
        replaced = any(_list_kinds(entry) == _list_kinds(own[-1]) for entry in struct.constructors) if own else False
        known = struct.constructors and not struct.by_keyword and all(entry.most >= 0 for entry in struct.constructors)
        if known and not replaced and order_methods([*own, *struct.constructors]):
            struct.chooser = f"{name_in_python(struct.name)}_by_types"


def write_chooser(struct: Struct) -> list[str]:
    """Return the Python lines of a function that calls the constructor that Julia would choose."""
    return write_dispatcher(struct.chooser, [*list_own_constructors(struct), *struct.constructors])


def write_dispatcher(name: str, methods: Sequence[Method]) -> list[str]:
    """Return the Python lines of a function that calls the method that Julia would choose."""
    lines = [
        f"def {name_in_python(name)}(*given, **options):",
        '    """Call the method that Julia chooses by the arguments."""',
    ]
    for entry in order_methods(methods):
        lines += [f"    if {write_fitting_test('given', entry)}:", f"        return {entry.python}(*given, **options)"]
    return [*lines, f"    raise ValueError({f'no method of {name_in_python(name)} takes these arguments'!r})"]


def write_fitting_test(given: str, entry: Method) -> str:
    """Return a call of the helper that tells whether a method can take the given arguments."""
    kinds = [kind if str(kind).startswith("luxport.") else repr(kind) for kind in _list_kinds(entry)]
    return f"can_take({given}, {', '.join(map(str, (entry.least, entry.most, *kinds)))})"


_MOST = 50
"""The largest number of methods that are ordered, as each is compared with each other."""


def order_methods(methods: Sequence[Method]) -> list[Method]:
    """Return methods ordered from specific to general, [] if the order is not certain."""
    if len(methods) > _MOST or any(None in _list_kinds(entry) for entry in methods):
        return []
    before: dict[int, set[int]] = {i: set() for i in range(len(methods))}
    for i, j in combinations(range(len(methods)), 2):
        first = _compare(methods[i], methods[j])
        if first is None:
            return []
        if first:
            before[j if first < 0 else i].add(i if first < 0 else j)
    found: list[int] = []
    while len(found) < len(methods):
        ready = [i for i in before if i not in found and before[i] <= set(found)]
        if not ready:
            return []
        found += ready
    return [methods[i] for i in found]


def is_foreign(entry: Method, defined: Collection[str]) -> bool:
    """Return whether a method takes a type that neither Julia nor the file defines, and so no value here can have."""
    plain = [re.split(r"[{(.]", declared)[0] for declared in entry.declared]
    return any(
        _read_kind(declared) is None and name.isidentifier() and name not in (*_NOT_TYPES, *defined)
        for name, declared in zip(plain, entry.declared, strict=True)
    )


_NOT_TYPES = ("Union", "Type", "Val", "typeof")


def _list_kinds(entry: Method) -> list[str | int | None]:
    return [_read_kind(declared) for declared in entry.declared]


def _read_kind(julia: str) -> str | int | None:
    """Return the kind of a declared type, None for an unknown type."""
    if not julia:
        return "any"
    name, _, rest = julia.removesuffix("}").partition("{")
    name = name.rpartition(".")[2]
    axes = re.fullmatch(r".*, *(\d+)", rest)
    if name in ("AbstractArray", "Array") and axes:
        return int(axes[1])
    return _KINDS.get(name)


def _compare(a: Method, b: Method) -> int | None:
    """Return -1 if a must be tested before b, 1 if after it, 0 if the order does not matter, None if it is unknown."""
    least, most = max(a.least, b.least), min(a.most, b.most)
    if least > most:
        return 0
    pairs = list(zip(_list_kinds(a), _list_kinds(b), strict=False))[: min(most, ANY_NUMBER)]
    if any(_is_disjoint(one, other) for one, other in pairs[:least]):
        return 0
    declared = zip(a.declared, b.declared, strict=False)
    if any(one == other and first != second for (one, other), (first, second) in zip(pairs, declared, strict=False)):
        return None  # two Julia types of the same kind here, such as Float32 and Float64
    if all(one == other or _is_subtype(one, other) for one, other in pairs):
        if all(one == other for one, other in pairs):  # a splat is less specific than a fixed number
            return -1 if a.most < b.most else 1  # of two equal methods Julia keeps the later one
        return -1
    return 1 if all(one == other or _is_subtype(other, one) for one, other in pairs) else None


def _is_subtype(one: str | int | None, other: str | int | None) -> bool:
    """Return whether all values of one kind are of the other kind, too."""
    if isinstance(one, int):
        return other in ("any", "array") or (one <= 2 and other == "vector or matrix")
    return other == "any" or _SUPERTYPES.get(str(one)) == other


def _is_disjoint(one: str | int | None, other: str | int | None) -> bool:
    return one != other and not _is_subtype(one, other) and not _is_subtype(other, one)
