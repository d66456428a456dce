"""Logarithms times what may be zero."""

from __future__ import annotations

from luxport.backend import Array, namespace
from luxport.ops.operation import operation

__all__ = ["xlogx", "xlogy"]


@operation
def xlogx(x: Array) -> Array:
    """Return ``x log(x)``, and 0 with no gradient where x is 0.

    Shapes: x (...) -> like x
    Source: LuxOps ``xlogx``

    >>> import numpy as np
    >>> xlogx(np.array([0.0, 1.0]))
    array([0., 0.])
    """
    return xlogy(x, x)


@operation
def xlogy(x: Array, y: Array) -> Array:
    """Return ``x log(y)``, and 0 with no gradient to either where x is 0.

    Shapes: x (...), y (...) of one dtype -> what they broadcast to
    Source: LuxOps ``xlogy``

    >>> import numpy as np
    >>> xlogy(np.array([0.0, 2.0]), np.array([0.0, 1.0]))
    array([0., 0.])
    """
    xp = namespace(x, y)
    zero = x == 0
    # The logarithm itself must not see a zero: its infinite slope times 0 would be a NaN.
    result = x * xp.log(xp.where(zero, xp.ones_like(y), y))
    return xp.where(zero, xp.zeros_like(result), result)
