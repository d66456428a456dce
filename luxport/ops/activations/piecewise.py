"""Activation functions of real numbers with a kink, or with two formulas.

Whether a comparison is strict decides the derivative at its kink. A formula that might overflow on the other side of
the kink gets 0 there.
"""

from __future__ import annotations

import math

from luxport.backend import Array, dtype_name, namespace
from luxport.backend.dtypes import is_integer, require_ordered, require_real_numbers, run_wide
from luxport.backend.option_rules import NON_NEGATIVE, NUMBER
from luxport.ops._operation import operation
from luxport.ops._random_bits import KEY_AND_COUNTER, uniform

__all__ = [
    "celu",
    "elu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leakyrelu",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "softshrink",
    "trelu",
]


@operation
def relu(x: Array) -> Array:
    """Return ``max(x, 0)``. Its derivative at 0 is 0; integers stay integers.

    >>> import numpy as np
    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    xp = namespace(x)
    x = require_ordered(xp, x, "relu")
    return xp.where(x <= 0, 0, x)


@operation
def relu6(x: Array) -> Array:
    """Return ``min(max(x, 0), 6)``. Its derivative at 0 and at 6 is 0; integers stay integers.

    Source: A. Krizhevsky, "Convolutional deep belief networks on CIFAR-10" (2010)
    """
    xp = namespace(x)
    x = require_ordered(xp, x, "relu6")
    return xp.where(x <= 0, 0, xp.where(x >= 6, 6, x))


@operation
def hardtanh(x: Array) -> Array:
    """Return ``min(max(x, -1), 1)``. Its derivative at -1 and at 1 is 0; integers stay integers.

    Source: R. Collobert, "Large scale machine learning" (2004)
    """
    xp = namespace(x)
    x = require_ordered(xp, x, "hardtanh")
    lowest = 0 if dtype_name(x).startswith("uint") else -1
    return xp.where(x <= lowest, lowest, xp.where(x >= 1, 1, x))


@operation(rules={"theta": NUMBER})
def trelu(x: Array, *, theta: float = 1) -> Array:
    """Return x where it is above theta, and 0 elsewhere; integers stay integers. Also called thresholdrelu.

    Args:
        theta: the threshold

    Source: K. Konda et al., "Zero-bias autoencoders and the benefits of co-adapting features" (2014)
    """
    xp = namespace(x)
    x = require_ordered(xp, x, "trelu")
    if is_integer(x) and isinstance(theta, float) and math.isfinite(theta):
        theta = math.floor(theta)  # an integer is above theta where it is above its floor
    return xp.where(x <= theta, 0, x)


@operation
def hardsigmoid(x: Array) -> Array:
    """Return ``min(max((x + 3) / 6, 0), 1)``. Its derivative at -3 and at 3 is 0."""
    xp = namespace(x)
    shifted = require_real_numbers(xp, x, "hardsigmoid") + 3.0
    return xp.where(shifted <= 0, 0.0, xp.where(shifted >= 6, 1.0, shifted / 6.0))


@operation
def hardswish(x: Array) -> Array:
    """Return ``x * hardsigmoid(x)``. Its derivative at -3 is -1/2, and at 3 it is 3/2.

    Source: A. Howard et al., "Searching for MobileNetV3" (2019)
    """
    xp = namespace(x)
    x = require_real_numbers(xp, x, "hardswish")
    # The product is taken between -3 and 3 only: 0 times infinity would be NaN.
    near = xp.where(xp.abs(x) > 3, 0.0, x)
    return xp.where(x > 3, x, near * ((near + 3.0) / 6.0))


@operation(rules={"a": NUMBER})
def leakyrelu(x: Array, *, a: float = 0.01) -> Array:
    """Return x where it is positive and ``a * x`` elsewhere. Its derivative at 0 is a.

    Args:
        a: the slope below 0

    >>> import functools, numpy as np, luxport
    >>> leakyrelu(np.array([-10.0, 2.0]), a=0.2)
    array([-2.,  2.])
    >>> layer = luxport.Dense(2, 3, functools.partial(leakyrelu, a=0.2))
    """
    xp = namespace(x)
    x = require_real_numbers(xp, x, "leakyrelu")
    return xp.where(x > 0, x, a * x)


@operation(takes=f"x, {KEY_AND_COUNTER}", rules={"lower": NUMBER, "upper": NUMBER})
def rrelu(x: Array, key: Array, counter: Array, *, lower: float = 1 / 8, upper: float = 1 / 3) -> Array:
    """Return x where it is positive and ``a * x`` elsewhere, a drawn from U(lower, upper) for each element.

    Args:
        lower: the least slope
        upper: the bound below which all slopes are

    Shapes: x (...), key (2,) int32, counter () int32 -> like x
    Source: B. Xu et al., "Empirical evaluation of rectified activations in convolutional network" (2015)
    """
    xp = namespace(x, key, counter)
    x = require_real_numbers(xp, x, "rrelu")
    drawn = xp.astype(uniform(key, counter, shape=tuple(x.shape)), x.dtype)
    return xp.where(x > 0, x, (lower + (upper - lower) * drawn) * x)


@operation(rules={"alpha": NUMBER})
@run_wide
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """Return x where it is 0 or more, and ``alpha * (exp(x) - 1)`` elsewhere. Its derivative at 0 is 1.

    Args:
        alpha: the factor below 0

    Source: D.-A. Clevert et al., "Fast and accurate deep network learning by exponential linear units" (2015)
    """
    xp = namespace(x)
    x = require_real_numbers(xp, x, "elu")
    return xp.where(x >= 0, x, alpha * xp.expm1(xp.where(x >= 0, 0.0, x)))


@operation(rules={"alpha": NUMBER})
@run_wide
def celu(x: Array, *, alpha: float = 1.0) -> Array:
    """Return x where it is 0 or more, and ``alpha * (exp(x / alpha) - 1)`` elsewhere.

    Args:
        alpha: the factor below 0

    Source: J. T. Barron, "Continuously differentiable exponential linear units" (2017)
    """
    xp = namespace(x)
    x = require_real_numbers(xp, x, "celu")
    return xp.where(x >= 0, x, alpha * xp.expm1(xp.where(x >= 0, 0.0, x) / alpha))


@operation
@run_wide
def selu(x: Array) -> Array:
    """Return ``scale * x`` where x is positive, and ``scale * alpha * (exp(x) - 1)`` elsewhere.

    Source: G. Klambauer et al., "Self-normalizing neural networks" (2017), which gives scale = 1.0507… and
    alpha = 1.6732…
    """
    xp = namespace(x)
    x = require_real_numbers(xp, x, "selu")
    return xp.where(x > 0, _SCALE * x, (_SCALE * _ALPHA) * xp.expm1(xp.where(x > 0, 0.0, x)))


_SCALE = 1.0507009873554804934193349852946
_ALPHA = 1.6732632423543772848170429916717


@operation(rules={"lambda_": NON_NEGATIVE})
def softshrink(x: Array, *, lambda_: float = 0.5) -> Array:
    """Return x moved toward 0 by lambda_, or 0 where ``abs(x) <= lambda_``.

    Args:
        lambda_: how far x is moved

    >>> import numpy as np
    >>> softshrink(np.array([-10.0, 0.3, 10.0]))
    array([-9.5,  0. ,  9.5])
    """
    xp = namespace(x)
    x = require_real_numbers(xp, x, "softshrink")
    return xp.where(xp.abs(x) <= lambda_, 0.0, xp.where(x > 0, x - lambda_, x + lambda_))
