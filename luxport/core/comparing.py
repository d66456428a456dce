"""``==`` and ``hash`` of layers: exact (1 differs from 1.0), and fast for a layer that occurs many times in a model."""

from __future__ import annotations

import functools
import threading
from dataclasses import fields
from typing import Any

from luxport.core.layer_base import LayerBase
from luxport.tree.static import ExactlyEqual, is_same_constant, make_hashable

__all__ = ["compare_exactly"]

_FEW = 100
"""Layers that consist of at most this many layers are compared directly: remembering results would not be faster."""


class _InProgress(threading.local):
    """The results so far of the comparison or hash that this thread is computing, by the ids of layers."""

    equal: set[tuple[int, int]] | None = None
    hashes: dict[int, int] | None = None


_in_progress = _InProgress()


def compare_exactly(kind: Any, *, equality: bool, hashing: bool) -> None:
    """Give a class an ``__eq__`` and a ``__hash__`` by which the options 1, 1.0 and True differ.

    Where layers hold layers, each inner layer is compared once, even if it occurs many times. A class that defines one
    of the methods itself keeps it: `equality` or `hashing` is False then.
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
            # `==` directly where possible: models can be deep, and each call in between counts toward Python's
            # recursion limit.
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
        outermost = _in_progress.equal is None
        known = _in_progress.equal = set() if _in_progress.equal is None else _in_progress.equal
        pair = id(self), id(other)
        try:
            if pair in known:
                return True
            if found := equal(self, other):
                known.add(pair)
            return found
        finally:
            if outermost:
                _in_progress.equal = None

    return __eq__


def _remember_hash(hash_of: Any) -> Any:
    @functools.wraps(hash_of)
    def __hash__(self: LayerBase) -> int:
        if self._places <= _FEW:
            return hash_of(self)
        outermost = _in_progress.hashes is None
        known = _in_progress.hashes = {} if _in_progress.hashes is None else _in_progress.hashes
        try:
            if id(self) not in known:
                known[id(self)] = hash_of(self)
            return known[id(self)]
        finally:
            if outermost:
                _in_progress.hashes = None

    return __hash__
