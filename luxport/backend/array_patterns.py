"""What arrays a function takes, written in one line.

``"x (T, N, in), weight (in, 4 out), bias (4 out)?, mask bool (T, N)?"``: names of arrays in their order, with the
kind of numbers they hold (see `_KINDS`; nothing for any) and their shapes. A name is a size that agrees wherever it
stands, alone or times a number; ``...`` stands for any number of axes, a question mark after the shape for an array
that may be absent. ``like x`` asks for the dtype of x; ``or number`` lets a Python number stand for the array.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from luxport.backend._dtype_names import dtype_name
from luxport.backend._registry import backend_of, find_owner, is_casting
from luxport.errors import LayerError, LayerTypeError, shape_text

__all__ = ["Takes", "find_problem", "fit", "parse"]


@dataclass(frozen=True)
class Takes:
    """One array of a pattern: its name, kind and shape. A size is (factor, name), or (factor, "") for a number."""

    name: str
    kind: str
    shape: str
    optional: bool
    or_number: bool
    like: str
    head: tuple[tuple[int, str], ...]
    tail: tuple[tuple[int, str], ...]
    open: bool

    def fits(self, shape: Any, sizes: dict[str, Any]) -> bool:
        """Compare with a shape, and note the sizes that it tells; a size that is not known yet passes."""
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


# Kinds of numbers, by the beginnings of the names of their dtypes.
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


def parse(pattern: str) -> tuple[Takes, ...]:
    """Read a line."""
    rules = []
    for part in re.split(r",\s*(?![^(]*\))", pattern):
        match = _ARRAY.fullmatch(part)
        assert match is not None, part
        name, kind, shape, absent, or_number = match.groups()
        kind = kind or ""
        like = kind.removeprefix("like ") if kind.startswith("like ") else ""
        sizes = ["..."] if shape is None else [size for size in re.split(r",\s*", shape) if size]
        at = sizes.index("...") if "..." in sizes else len(sizes)
        rules.append(
            Takes(
                *(name, "" if like else kind, "" if shape is None else f"({shape})", absent is not None),
                or_number=or_number is not None,
                like=like,
                head=tuple([_read_size(size) for size in sizes[:at]]),
                tail=tuple([_read_size(size) for size in sizes[at + 1 :]]),
                open=at < len(sizes),
            )
        )
    return tuple(rules)


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


def fit(pattern: tuple[Takes, ...], arrays: tuple[Any, ...]) -> bool:
    """Tell whether arrays fit a pattern, as quickly as may be."""
    sizes: dict[str, Any] = {}
    for takes, array in zip(pattern, arrays, strict=False):
        if array is None:
            if not takes.optional:
                return False
            continue
        if not takes.fits(array.shape, sizes) or (
            takes.like and array.dtype != arrays[0].dtype and not is_casting(array, arrays[0])
        ):
            return False
        if takes.kind and not dtype_name(array).startswith(_KINDS[takes.kind][1]):
            return False
    return True


def find_problem(pattern: tuple[Takes, ...], named: Mapping[str, Any]) -> tuple[int, LayerError] | None:
    """Return how many arrays fit, and what is wrong with the next."""
    sizes: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for i, takes in enumerate(pattern):
        array = named.get(takes.name)
        if array is None and (takes.optional or takes.name not in named):
            continue
        if takes.or_number and isinstance(array, (bool, int, float)):
            continue
        if array is None or find_owner(type(array)) is None:
            got = "None" if array is None else type(array).__name__
            return i, LayerTypeError(f"expects an array as {takes.name}, got {got}: make one with luxport.asarray")
        try:
            backend_of(named.get(pattern[0].name), array)
        except LayerError as error:
            return i, error
        wanted, names = _KINDS[takes.kind]
        if not dtype_name(array).startswith(names):
            return i, LayerTypeError(f"expects {wanted} as {takes.name}, got {dtype_name(array)}")
        before = dict(sizes)
        if not takes.fits(array.shape, sizes):
            known = [
                f"{name} = {before[name]} as in {sources[name]}"
                for _, name in (*takes.head, *takes.tail)
                if name in before
            ]
            given = f" with {' and '.join(dict.fromkeys(known))}" if known else ""
            return i, LayerError(f"expects {takes.name} {takes.shape}{given}, got {shape_text(array)}")
        sources.update({name: takes.name for name in sizes if name not in before})
        if takes.like and array.dtype != named[takes.like].dtype and not is_casting(array, named[takes.like]):
            want, got = dtype_name(named[takes.like]), dtype_name(array)
            return i, LayerTypeError(
                f"expects {takes.name} in {want} as {takes.like}, got {got}: convert one with luxport.to(..., dtype=)"
            )
    return None
