"""Whether numbers may be looked at in passing, or by a program as it runs: `may_look`, `reliance`."""

from __future__ import annotations

from collections.abc import Callable

from luxport.backend import Array
from luxport.ops._operation import operation

__all__ = ["may_look", "reliance"]


@operation
def may_look(x: Array) -> bool:
    """Tell whether x holds numbers that are quickly at hand.

    Not while a program is compiled or transformed, nor where an accelerator would be waited for.
    """
    return True


@operation
def reliance(x: Array) -> Callable[[Array], None] | None:
    """Return how to tell the program in which x is what it relies on; None where nobody would look as it runs.

    What is told is a boolean scalar: where it is False, the program's result is thrown away for a careful one's.
    """
    return None
