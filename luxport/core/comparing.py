"""Equality and hashes of layers: exact, and one that stands in others again and again is looked at once."""

from __future__ import annotations

import functools
import threading
from dataclasses import fields
from typing import Any

from luxport.core.anatomy import LayerBase
from luxport.tree.static import ExactlyEqual, is_same_constant, make_hashable

__all__ = ["compare_exactly"]

_FEW = 100
"""With fewer places than these, layers are compared quickly enough as they are."""


class _UnderWay(threading.local):
    """What the comparison or hash that this thread is computing has found so far, by the identities of layers."""

    equal: set[tuple[int, int]] | None = None
    hashes: dict[int, int] | None = None


_under_way = _UnderWay()


def compare_exactly(kind: Any, *, equality: bool, hashing: bool) -> None:
    """Let layers of a class be equal where no program could tell them apart: 1, 1.0 and True are different options.

    Of layers that hold layers, each layer inside is looked at once. What a class writes itself stays.
    """
    names = tuple([field.name for field in fields(kind) if field.compare])
    holds_layers = kind.children is not LayerBase.children
    if equality:
        equal = _make_equal(names)
        kind.__eq__ = _remember_equal(equal) if holds_layers else equal
    if hashing:
        hash_of = _make_hash(names)
        kind.__hash__ = _remember_hash(hash_of) if holds_layers else hash_of


def _make_equal(names: tuple[str, ...]) -> Any:
    def __eq__(self: LayerBase, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return NotImplemented
        for name in names:
            one, another = getattr(self, name), getattr(other, name)
            if one is another:
                continue
            # Asked here, where it can be: models are deep, and Python's calls are not.
            if not (one == another if isinstance(one, ExactlyEqual) else is_same_constant(one, another)):
                return False
        return True

    return __eq__


def _make_hash(names: tuple[str, ...]) -> Any:
    def __hash__(self: LayerBase) -> int:
        return hash(tuple([make_hashable(getattr(self, name)) for name in names]))

    return __hash__


def _remember_equal(equal: Any) -> Any:
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


def _remember_hash(hash_of: Any) -> Any:
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
