"""Logarithms times what may be zero."""

from __future__ import annotations

import math

from luxport.backend import Array, namespace
from luxport.backend.dtypes import in_single_or_double, is_complex, numbers, promote
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation
from luxport.ops.shapes import spread_alike
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["xlogx", "xlogy"]


@operation
def xlogx(x: Array) -> Array:
    """Return ``x log(x)``, and 0 with no gradient where x is 0.

    Shapes: x (...) -> like x; integers become float32
    Source: LuxOps ``xlogx``

    >>> import numpy as np
    >>> xlogx(np.array([0.0, 1.0]))
    array([0., 0.])
    """
    xp = namespace(x)
    x = numbers(xp, x, "xlogx")
    # The slope at infinity is that of the logarithm times 1: infinity over infinity would be no number.
    factor = x if is_complex(x) else xp.where(x == math.inf, stop_gradient(x), x)
    return xlogy(x, factor)


def _expect_fit(x: Array, y: Array) -> None:
    if not spread_alike(x.shape, y.shape):
        raise LayerError(f"expects x and y of shapes that broadcast, got {shape_text(x)} and {shape_text(y)}")


@operation(check=_expect_fit, early=False)
def xlogy(x: Array, y: Array) -> Array:
    """Return ``x log(y)``, and 0 with no gradient to either where x is 0.

    Shapes: x (...), y (...) -> what they broadcast to; integers become float32, and different dtypes are promoted
    Source: LuxOps ``xlogy``

    >>> import numpy as np
    >>> xlogy(np.array([0.0, 2.0]), np.array([0.0, 1.0]))
    array([0., 0.])
    """
    xp = namespace(x, y)
    x, y = promote(xp, numbers(xp, x, "xlogy"), numbers(xp, y, "xlogy"))
    return _xlogy(x, y)


# Half types are too short for the square of an inverse, which the second derivative of a logarithm is.
@in_single_or_double
def _xlogy(x: Array, y: Array) -> Array:
    xp = namespace(x, y)
    zero = x == 0
    # The logarithm itself must not see a zero: its infinite slope times 0 would be a NaN.
    result = x * xp.log(xp.where(zero, xp.ones_like(y), y))
    return xp.where(zero, xp.zeros_like(result), result)
