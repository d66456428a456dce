"""`is_compiling`: whether a framework is tracing the running Python code to compile it."""

from __future__ import annotations

from collections.abc import Callable

from luxport.backend._registry import KNOWN

__all__ = ["ask_when_compiling", "is_compiling"]


def is_compiling() -> bool:
    """Return whether a framework is reading the Python code to compile it: arrays have no values then."""
    return any([is_compiling_now() for is_compiling_now in KNOWN.compiling])


def ask_when_compiling(is_compiling_now: Callable[[], bool]) -> None:
    """Register a backend's function that returns whether its framework is reading Python code to compile it."""
    KNOWN.compiling.append(is_compiling_now)
