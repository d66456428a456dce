"""Whether a framework is reading the program to compile it: `is_compiling`."""

from __future__ import annotations

from collections.abc import Callable

from luxport.backend._registry import KNOWN

__all__ = ["ask_when_compiling", "is_compiling"]


def is_compiling() -> bool:
    """Tell whether a framework is reading Python to compile it: then arrays have no values yet."""
    return any([asked() for asked in KNOWN.compiling])


def ask_when_compiling(asked: Callable[[], bool]) -> None:
    """Let a backend tell whether its framework is reading Python to compile it."""
    KNOWN.compiling.append(asked)
