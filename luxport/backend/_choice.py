"""The default backend, which makes new arrays, and the backend of the arrays in a tree.

The default is chosen by the environment's ``LUXPORT_BACKEND``, by `set_backend` and by `using`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from luxport import tree
from luxport.backend._protocol import Backend
from luxport.backend._registry import backend_of, find_owner, get_backend
from luxport.call_arguments import explain_call_errors
from luxport.tree.static import Static

__all__ = ["find_backend_of_trees", "default_backend", "find_first_array", "set_backend", "using"]


_chosen: str | None = None

_using: ContextVar[str | None] = ContextVar("luxport_using", default=None)


@explain_call_errors
def default_backend() -> Backend:
    """Return the backend that new arrays come from.

    The innermost `using`, else `set_backend`, else the environment's ``LUXPORT_BACKEND``, else NumPy.
    """
    return get_backend(_using.get() or _chosen or os.environ.get("LUXPORT_BACKEND") or "numpy")


@explain_call_errors
def set_backend(name: str | None) -> None:
    """Choose the backend that new arrays come from, for the whole process; None undoes the choice.

    Raises: ValueError if no such backend is known; BackendNotFoundError if its framework is not installed
    """
    global _chosen
    if name is not None:
        get_backend(name)
    _chosen = name


@contextmanager
@explain_call_errors
def using(name: str) -> Iterator[Backend]:
    """Choose the backend that new arrays come from, inside a ``with`` block (and its thread or task only).

    >>> with using("numpy") as backend:
    ...     default_backend().name
    'numpy'
    """
    backend = get_backend(name)
    token = _using.set(name)
    try:
        yield backend
    finally:
        _using.reset(token)


def find_backend_of_trees(*values: Any) -> Backend:
    """Return the backend of the first array in each tree, or the default backend if there is no array."""
    found: Any = None
    for value in values:
        leaf = find_first_array(value)
        if leaf is not None and type(leaf) is not type(found):
            backend_of(found, leaf)
            found = leaf
    return default_backend() if found is None else backend_of(found)


def find_first_array(value: Any) -> Any:
    """Return the first array of a tree, or None."""
    kind = type(value)
    if kind is tuple or kind is list:  # the most frequent types first: isinstance of Mapping takes a microsecond
        return _find_first(value)
    if kind is dict:
        return _find_first(value.values())
    if value is None or isinstance(value, Static):
        return None
    if isinstance(value, tree.VectorTree):
        return find_first_array(value.vector)
    if isinstance(value, Mapping):
        return _find_first(value.values())
    if isinstance(value, (tuple, list)):
        return _find_first(value)
    return None if find_owner(kind) is None else value


def _find_first(values: Iterable[Any]) -> Any:
    for value in values:
        leaf = find_first_array(value)
        if leaf is not None:
            return leaf
    return None
