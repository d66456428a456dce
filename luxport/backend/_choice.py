"""Which backend new arrays come from: ``LUXPORT_BACKEND``, `set_backend`, `using`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from luxport.backend._protocol import Backend
from luxport.backend._registry import get_backend
from luxport.call_arguments import says_what_it_takes

__all__ = ["default_backend", "set_backend", "using"]


_chosen: str | None = None

_using: ContextVar[str | None] = ContextVar("luxport_using", default=None)


@says_what_it_takes
def default_backend() -> Backend:
    """Return the backend that new arrays come from.

    The innermost `using`, else `set_backend`, else the environment's ``LUXPORT_BACKEND``, else NumPy.
    """
    return get_backend(_using.get() or _chosen or os.environ.get("LUXPORT_BACKEND") or "numpy")


@says_what_it_takes
def set_backend(name: str | None) -> None:
    """Choose the backend that new arrays come from, for the whole process; None takes the choice back.

    Raises: ValueError if no such backend is known; BackendNotFoundError if its framework is not installed
    """
    global _chosen
    if name is not None:
        get_backend(name)
    _chosen = name


@contextmanager
@says_what_it_takes
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
