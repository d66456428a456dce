"""Functions called with values and gradients as they are computed: `observe`."""

from __future__ import annotations

from collections.abc import Callable

from luxport.backend import Array
from luxport.backend.option_rules import FUNCTION, allow_none
from luxport.ops._operation import operation

__all__ = ["observe"]

Observer = Callable[[Array], None]


@operation(rules={"forward": allow_none(FUNCTION), "backward": allow_none(FUNCTION)})
def observe(x: Array, *, forward: Observer | None = None, backward: Observer | None = None) -> Array:
    """Return x after calling a function with it; in a backward pass call another with its gradient.

    In a compiled program neither is called. An error that they raise ends the pass. On JAX, `backward` rules out
    forward-mode derivatives.

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
