"""Patterns that describe the array arguments of a function in one line: parsing, matching, and explaining a mismatch.

``"x (T, N, in), weight (in, 4 out), bias (4 out)?, mask bool (T, N)?"`` lists the arrays in the order of the arguments,
each with the kind of its numbers (see `_KINDS`; none for any kind) and its shape. A name in a shape is a size, the same
wherever the name occurs, and ``4 out`` is four times that size. ``...`` stands for any number of axes, and a question
mark marks an array that may be absent. ``like x`` asks for the dtype of x; ``or number`` also accepts a Python number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from luxport.backend._dtype_names import dtype_name
from luxport.backend._registry import backend_of, find_owner, is_casting
from luxport.errors import LayerError, LayerTypeError, shape_text

__all__ = ["ArrayPattern", "find_mismatch", "is_match", "parse"]


@dataclass(frozen=True)
class ArrayPattern:
    """One array of a pattern: its name, kind and shape. A size is (factor, name), or (factor, "") for a number.

    `head` has the sizes before ``...``, `tail` those after it; `open` is whether there is a ``...``.
    """

    name: str
    kind: str
    shape: str
    optional: bool
    or_number: bool
    like: str
    head: tuple[tuple[int, str], ...]
    tail: tuple[tuple[int, str], ...]
    open: bool

    def is_match(self, shape: Any, sizes: dict[str, Any]) -> bool:
        """Return whether a shape matches, and add the named sizes it determines to `sizes`; a None matches any size."""
        rank = len(shape)
        wanted = len(self.head) + len(self.tail)
        if rank < wanted or (rank > wanted and not self.open):
            return False
        for i, (factor, name) in enumerate(self.head):
            if not _match_factor(factor, name, shape[i], sizes):
                return False
        for i, (factor, name) in enumerate(self.tail, start=rank - len(self.tail)):
            if not _match_factor(factor, name, shape[i], sizes):
                return False
        return True


# The kinds of numbers: the words for each in messages, and the prefixes of the names of its dtypes.
_REAL = ("float", "bfloat", "int", "uint")


_KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("numbers or booleans", (*_REAL, "complex", "bool")),
    "numbers": ("numbers", (*_REAL, "complex")),
    "real": ("real numbers", _REAL),
    "inexact": ("floating or complex numbers", ("float", "bfloat", "complex")),
    "complex": ("complex numbers", ("complex",)),
    "floating": ("floating numbers", ("float", "bfloat")),
    "ordered": ("real numbers or booleans", (*_REAL, "bool")),
    "int": ("integers", ("int", "uint")),
    "int32": ("int32", ("int32",)),
    "bool": ("booleans", ("bool",)),
}


_ARRAY = re.compile(r"\s*(\w+)(?: (like \w+|(?!or number)\w+))?(?: \(([^)]*)\))?(\?)?( or number)?\s*")


def parse(pattern: str) -> tuple[ArrayPattern, ...]:
    """Parse a pattern of array arguments."""
    arrays = []
    for part in re.split(r",\s*(?![^(]*\))", pattern):
        match = _ARRAY.fullmatch(part)
        assert match is not None, part
        name, kind, shape, absent, or_number = match.groups()
        kind = kind or ""
        like = kind.removeprefix("like ") if kind.startswith("like ") else ""
        sizes = ["..."] if shape is None else [size for size in re.split(r",\s*", shape) if size]
        at = sizes.index("...") if "..." in sizes else len(sizes)
        arrays.append(
            ArrayPattern(
                *(name, "" if like else kind, "" if shape is None else f"({shape})", absent is not None),
                or_number=or_number is not None,
                like=like,
                head=tuple([_read_size(size) for size in sizes[:at]]),
                tail=tuple([_read_size(size) for size in sizes[at + 1 :]]),
                open=at < len(sizes),
            )
        )
    return tuple(arrays)


def _read_size(text: str) -> tuple[int, str]:
    factor, _, name = text.rpartition(" ")
    return (int(name), "") if name.isdigit() else (int(factor or 1), name)


def _match_factor(factor: int, name: str, size: Any, sizes: dict[str, Any]) -> bool:
    if size is None:
        return True
    if not name:
        return size == factor
    if name in sizes:
        return size == factor * sizes[name]
    if factor != 1:
        if size % factor:
            return False
        size //= factor
    sizes[name] = size
    return True


def is_match(pattern: tuple[ArrayPattern, ...], arrays: tuple[Any, ...]) -> bool:
    """Return whether arrays match a pattern. This is the fast test of every call; `find_mismatch` explains a False."""
    sizes: dict[str, Any] = {}
    for wanted, array in zip(pattern, arrays, strict=False):
        if array is None:
            if not wanted.optional:
                return False
            continue
        if not wanted.is_match(array.shape, sizes) or (
            wanted.like and array.dtype != arrays[0].dtype and not is_casting(array, arrays[0])
        ):
            return False
        if wanted.kind and not dtype_name(array).startswith(_KINDS[wanted.kind][1]):
            return False
    return True


def find_mismatch(pattern: tuple[ArrayPattern, ...], named: Mapping[str, Any]) -> tuple[int, LayerError] | None:
    """Return the position of the first array that does not match, and the error for it; None if all match."""
    sizes: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for i, wanted in enumerate(pattern):
        array = named.get(wanted.name)
        if array is None and (wanted.optional or wanted.name not in named):
            continue
        if wanted.or_number and isinstance(array, (bool, int, float)):
            continue
        if array is None or find_owner(type(array)) is None:
            got = "None" if array is None else type(array).__name__
            return i, LayerTypeError(f"expects an array as {wanted.name}, got {got}: make one with luxport.asarray")
        try:
            backend_of(named.get(pattern[0].name), array)
        except LayerError as error:
            return i, error
        kind, prefixes = _KINDS[wanted.kind]
        if not dtype_name(array).startswith(prefixes):
            return i, LayerTypeError(f"expects {kind} as {wanted.name}, got {dtype_name(array)}")
        before = dict(sizes)
        if not wanted.is_match(array.shape, sizes):
            known = [
                f"{name} = {before[name]} as in {sources[name]}"
                for _, name in (*wanted.head, *wanted.tail)
                if name in before
            ]
            given = f" with {' and '.join(dict.fromkeys(known))}" if known else ""
            return i, LayerError(f"expects {wanted.name} {wanted.shape}{given}, got {shape_text(array)}")
        sources.update({name: wanted.name for name in sizes if name not in before})
        if wanted.like and array.dtype != named[wanted.like].dtype and not is_casting(array, named[wanted.like]):
            want, got = dtype_name(named[wanted.like]), dtype_name(array)
            return i, LayerTypeError(
                f"expects {wanted.name} in {want} as {wanted.like}, got {got}: convert one with luxport.to(..., dtype=)"
            )
    return None
