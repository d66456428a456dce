"""A limit on the compiled programs that a function of `luxport.jit` keeps, for backends that have none."""

from __future__ import annotations

from typing import Any

from luxport.text import warn
from luxport.tree.static import drop_oldest

__all__ = ["MOST_PROGRAMS", "make_room", "warn_of_many_programs"]

MOST_PROGRAMS = 128
"""A program takes a megabyte or more: thousands of them, one for each value of a number, would fill the memory."""

_warned = False


def make_room(programs: dict[Any, Any]) -> None:
    """Drop the oldest program from a full table, and warn once."""
    if len(programs) >= MOST_PROGRAMS:
        drop_oldest(programs)
        warn_of_many_programs()


def warn_of_many_programs() -> None:
    """Warn once that a function is recompiled again and again, with the reason and the remedy."""
    global _warned
    if not _warned:
        _warned = True
        warn(
            f"luxport.jit compiled one function {MOST_PROGRAMS} times, for other numbers, Static values or shapes each "
            "time, and drops the oldest programs from here on: pass numbers that change as arrays "
            "(luxport.asarray), and pad batches to few shapes"
        )
