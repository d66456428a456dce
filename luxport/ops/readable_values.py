"""Whether Python can read the values of arrays, to choose between a fast formula and a careful one.

A program that cannot, because it is compiled, may instead assume that the fast formula is right: see `find_reliance`.
"""

from __future__ import annotations

from collections.abc import Callable

from luxport.backend import Array, namespace
from luxport.ops._operation import operation
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["may_look", "prefer_finite", "find_reliance"]


@operation
def may_look(x: Array) -> bool:
    """Tell whether the values of x can be read at once.

    They cannot while a program is compiled or transformed, nor on an accelerator, which would have to be waited for.
    """
    return True


@operation
def find_reliance(x: Array) -> Callable[[Array], None] | None:
    """Return a function that adds an assumption to the program that computes x; None if programs have none.

    An assumption is a boolean scalar. If one turns out false as the program runs, its result is discarded, and computed
    again by a program without assumptions.
    """
    return None


def prefer_finite(x: Array, usual: Callable[[], Array], careful: Callable[[], Array]) -> Array:
    """Return ``usual()`` if it is finite, otherwise ``careful()``, which is also for programs that cannot tell."""
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
