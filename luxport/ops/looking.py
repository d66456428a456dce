"""Whether numbers are looked at in passing, or as a program runs: `may_look`, `find_reliance`, `prefer_finite`."""

from __future__ import annotations

from collections.abc import Callable

from luxport.backend import Array, namespace
from luxport.ops._operation import operation
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["may_look", "prefer_finite", "find_reliance"]


@operation
def may_look(x: Array) -> bool:
    """Tell whether x holds numbers that are quickly at hand.

    Not while a program is compiled or transformed, nor where an accelerator would be waited for.
    """
    return True


@operation
def find_reliance(x: Array) -> Callable[[Array], None] | None:
    """Return how to tell the program in which x is what it relies on; None where nobody would look as it runs.

    What is told is a boolean scalar: where it is False, the program's result is thrown away for a careful one's.
    """
    return None


def prefer_finite(x: Array, usual: Callable[[], Array], careful: Callable[[], Array]) -> Array:
    """Return ``usual()`` where it is seen to be finite, otherwise ``careful()``; both are functions of x."""
    rely_on = None
    if not may_look(x):
        rely_on = find_reliance(x)
        if rely_on is None:
            return careful()
    xp, found = namespace(x), usual()
    finite = xp.all(xp.isfinite(stop_gradient(found)))
    if rely_on is not None:
        rely_on(finite)
        return found
    return found if bool(finite) else careful()
