"""Iterate over a tree of Julia's values, each once, although values may be shared or contain themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from luxport.porting.julia._functions import Function
from luxport.porting.julia._values import (
    Bits,
    BitsArray,
    Converted,
    Dict,
    Filled,
    NamedTuple,
    Struct,
    Symbol,
    Value,
    format_integer,
)

__all__ = ["yield_children", "yield_values", "walk"]


def yield_children(value: Value) -> Iterator[tuple[str, Value]]:
    """Yield the values directly inside a value, each with its name or position; types are not entered."""
    match value:
        case dict():
            yield from value.items()
        case tuple() | list():
            yield from ((str(i), child) for i, child in enumerate(value))
        case NamedTuple():
            yield from zip(value.names, value.values, strict=True)
        case Struct():
            names = value.names or tuple(str(i) for i in range(len(value.fields)))
            yield from zip(names, value.fields, strict=True)
        case Dict():
            yield from ((_describe_key(key), child) for key, child in value.pairs)
        case Function():
            names = value.names or tuple(str(i) for i in range(len(value.captured)))
            yield from zip(names, value.captured, strict=True)
        case Converted() | Filled():
            yield "value", value.value
        case np.ndarray() if value.dtype == object:
            yield from ((str(i), child) for i, child in enumerate(value.ravel()))
        case _:
            return


def walk(tree: Value) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Yield every value of a tree once, parents before children, with the path on which it was first reached.

    >>> [(path, value) for path, value in walk({"a": [1, None]}) if path]
    [(('a',), [1, None]), (('a', '0'), 1), (('a', '1'), None)]
    """
    seen: set[int] = set()
    # A path is built only when its value is reached: the paths of all pending values could fill the memory.
    pending: list[tuple[tuple[str, ...], str | None, Value]] = [((), None, tree)]
    while pending:
        path, name, value = pending.pop()
        if _can_be_shared(value):
            if id(value) in seen:
                continue
            seen.add(id(value))
        path = path if name is None else (*path, name)
        yield path, value
        pending.extend(reversed([(path, name, child) for name, child in yield_children(value)]))


def yield_values(tree: Value) -> Iterator[Value]:
    """Yield every value of a tree once, in the order of `walk` but without paths, which are costly in deep trees."""
    seen: set[int] = set()
    pending: list[Value] = [tree]
    while pending:
        value = pending.pop()
        if _can_be_shared(value):
            if id(value) in seen:
                continue
            seen.add(id(value))
        yield value
        match value:
            case Struct():
                inner: Any = value.fields
            case list() | tuple():
                inner = value
            case None | bool() | int() | float() | str():
                continue
            case _:
                inner = [child for _, child in yield_children(value)]
        pending.extend(reversed(inner))


def _can_be_shared(value: Value) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype == object
    return isinstance(value, _CONTAINERS) and value != ()


# Types whose objects are visited once. Python may reuse one object for equal numbers or strings, which are still
# separate values.
_CONTAINERS = (dict, list, tuple, NamedTuple, Struct, Dict, Function, Converted, Filled)


def _describe_key(key: Value) -> str:
    match key:
        case str():
            return key
        case Symbol():
            return key.name
        case np.ndarray():
            return f"{key.dtype.name} array {key.shape}"
        case Struct() | Function() | Converted() | Bits() | BitsArray():
            return str(key.type)
        case dict() | list() | Dict():
            return type(key).__name__
        case int() if not isinstance(key, bool):
            return format_integer(key)
        case _:
            return str(key)
