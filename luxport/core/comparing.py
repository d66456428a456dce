"""Equality and hashes of layers that hold layers: one that stands in others again and again is looked at once."""

from __future__ import annotations

import functools
import threading
from typing import Any

from luxport.core.anatomy import LayerBase

__all__ = ["compare_once"]

_FEW = 100
"""With fewer places than these, layers are compared quickly enough as they are."""


class _UnderWay(threading.local):
    """What the comparison or hash that this thread is computing has found so far, by the identities of layers."""

    equal: set[tuple[int, int]] | None = None
    hashes: dict[int, int] | None = None


_under_way = _UnderWay()


def compare_once(kind: Any, *, equality: bool, hashing: bool) -> None:
    """Let a class of layers, with the dataclass's own equality and hash, look at each layer inside once."""
    if equality:
        kind.__eq__ = _equal_once(kind.__eq__)
    if hashing:
        kind.__hash__ = _hash_once(kind.__hash__)


def _equal_once(equal: Any) -> Any:
    @functools.wraps(equal)
    def __eq__(self: LayerBase, other: object) -> bool:
        if self is other:
            return True
        if self._places <= _FEW or type(self) is not type(other):
            return equal(self, other)
        outermost = _under_way.equal is None
        known = _under_way.equal = set() if _under_way.equal is None else _under_way.equal
        pair = id(self), id(other)
        try:
            if pair in known:
                return True
            if found := equal(self, other):
                known.add(pair)
            return found
        finally:
            if outermost:
                _under_way.equal = None

    return __eq__


def _hash_once(hash_of: Any) -> Any:
    @functools.wraps(hash_of)
    def __hash__(self: LayerBase) -> int:
        if self._places <= _FEW:
            return hash_of(self)
        outermost = _under_way.hashes is None
        known = _under_way.hashes = {} if _under_way.hashes is None else _under_way.hashes
        try:
            if id(self) not in known:
                known[id(self)] = hash_of(self)
            return known[id(self)]
        finally:
            if outermost:
                _under_way.hashes = None

    return __hash__
