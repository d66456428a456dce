"""Values without gradients: `stop_gradient`."""

from __future__ import annotations

from typing import Any

from luxport import tree
from luxport.backend import backend_of, can
from luxport.backend.arguments import check_call

__all__ = ["stop_gradient"]


@check_call()
def stop_gradient(x: tree.Tree) -> tree.Tree:
    """Return an array, or a tree of arrays, as constants: no gradient flows through them.

    >>> import numpy as np
    >>> stop_gradient(np.ones(2))
    array([1., 1.])
    """
    return tree.map(_stop, x)


def _stop(leaf: Any) -> Any:
    backend: Any = backend_of(leaf)
    return backend.stop_gradient(leaf) if can(backend, "gradients") else leaf
