"""Looking at values and gradients as they pass."""

from __future__ import annotations

from collections.abc import Callable

from luxport.backend import Array
from luxport.backend.option_rules import FUNCTION, allow_none
from luxport.ops._operation import operation

__all__ = ["observe"]

Observer = Callable[[Array], None]


@operation(rules={"forward": allow_none(FUNCTION), "backward": allow_none(FUNCTION)})
def observe(x: Array, *, forward: Observer | None = None, backward: Observer | None = None) -> Array:
    """Return x, having shown it to one function, and in a backward pass its gradient to another.

    In a compiled program neither is called. What they raise ends the pass. On JAX an array with a `backward` has
    reverse-mode derivatives only.

    Args:
        forward: a function called with x, or None
        backward: a function called with the gradient of x, or None

    Shapes: x (...) -> y (...)

    >>> import numpy as np
    >>> observe(np.ones(2), forward=print)
    [1. 1.]
    array([1., 1.])
    """
    if forward is not None:
        forward(x)
    return x
