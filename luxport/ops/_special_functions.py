"""Functions that the Array API lacks: the error function, and ``x log(y)`` that is 0 where x is 0."""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, namespace
from luxport.backend.dtypes import (
    is_complex,
    is_double,
    promote,
    require_numbers,
    require_real_numbers,
    run_wide,
)
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation
from luxport.ops.shapes import can_broadcast_together
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["erf", "evaluate_polynomial", "xlogx", "xlogy"]


@operation
def erf(x: Array) -> Array:
    """Return ``2 / sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to x, within 5 units in the last place.

    Raises: TypeError if x is complex or boolean
    Source: W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969)

    >>> import numpy as np
    >>> print(erf(np.asarray([-np.inf, 0.0, 1.0])))
    [-1.          0.          0.84270079]
    """
    xp = namespace(x)
    x = require_real_numbers(xp, x, "erf")
    # The coefficients require the range and precision of float32.
    wide = x if x.dtype == xp.float32 or is_double(x) else xp.astype(x, xp.float32)
    # Each formula gets its own interval only: elsewhere it would overflow, or make a gradient NaN.
    near = xp.clip(wide, -_BORDER, _BORDER)
    far = xp.clip(xp.abs(wide), _BORDER, _ONE_FROM_HERE)
    square = near * near
    small = near * (evaluate_polynomial(_NEAR_OVER, square) / evaluate_polynomial(_NEAR_UNDER, square))
    tail = xp.exp(-(far * far)) * (evaluate_polynomial(_FAR_OVER, far) / evaluate_polynomial(_FAR_UNDER, far))
    y = xp.where(xp.abs(wide) < _BORDER, small, xp.sign(wide) * (1.0 - tail))
    return xp.astype(y, x.dtype)


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
    x = require_numbers(xp, x, "xlogx")
    # The derivative is log(x) + x / x, whose second term would be NaN at infinity: there x is held constant in it.
    factor = x if is_complex(x) else xp.where(x == math.inf, stop_gradient(x), x)
    return xlogy(x, factor)


def _expect_fit(x: Array, y: Array) -> None:
    if not can_broadcast_together(x.shape, y.shape):
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
    x, y = promote(xp, require_numbers(xp, x, "xlogy"), require_numbers(xp, y, "xlogy"))
    return _xlogy(x, y)


# In float32 for half types, whose range is too small for the second derivative of a logarithm, -1 / y^2.
@run_wide
def _xlogy(x: Array, y: Array) -> Array:
    xp = namespace(x, y)
    zero = x == 0
    # The logarithm must not be taken of zero: its infinite derivative times 0 would be NaN.
    result = x * xp.log(xp.where(zero, xp.ones_like(y), y))
    return xp.where(zero, xp.zeros_like(result), result)


def evaluate_polynomial(coefficients: tuple[float, ...], x: Array) -> Any:
    """Evaluate a polynomial by Horner's rule, given the coefficient of the highest power first."""
    y: Any = coefficients[0]
    for coefficient in coefficients[1:]:
        y = y * x + coefficient
    return y


_BORDER = 0.46875
# 1 - erf(6) is 2e-17.
_ONE_FROM_HERE = 6.0

# erf(x) / x over x**2
_NEAR_OVER = (
    1.85777706184603153e-1,
    3.16112374387056560,
    113.864154151050156,
    377.485237685302021,
    3209.37758913846947,
)
_NEAR_UNDER = (1.0, 23.6012909523441209, 244.024637934444173, 1282.61652607737228, 2844.23683343917062)

# exp(x**2) * (1 - erf(x)) over x, for x up to 4; beyond that it is less exact, but 1 - erf(x) is below 2e-8
_FAR_OVER = (
    *(2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 66.1191906371416295),
    *(298.635138197400131, 881.952221241769090, 1712.04761263407058, 2051.07837782607147, 1230.33935479799725),
)
_FAR_UNDER = (
    *(1.0, 15.7449261107098347, 117.693950891312499, 537.181101862009858, 1621.38957456669019),
    *(3290.79923573345963, 4362.61909014324716, 3439.36767414372164, 1230.33935480374942),
)
