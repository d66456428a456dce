"""A constant under differentiation."""

from __future__ import annotations

from luxport import tree
from luxport.backend import backend_of
from luxport.backend.arguments import checked

__all__ = ["stop_gradient"]


@checked()
def stop_gradient(x: tree.Tree) -> tree.Tree:
    """Return the same array, or tree of arrays, through which no gradient flows.

    >>> import numpy as np
    >>> stop_gradient(np.ones(2))
    array([1., 1.])
    """
    return tree.map(lambda leaf: backend_of(leaf).stop_gradient(leaf), x)
