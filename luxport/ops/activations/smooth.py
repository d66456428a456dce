"""Smooth activation functions; those that are analytic take complex numbers, too.

Exponentials are taken of ``-abs(x)``, so that none overflows, written with `where` since libraries differ on the
derivative of abs at 0. Functions that subtract nearly equal numbers compute half types in float32 and round once: the
difference of two numbers of 8 or 11 bits may have no correct digit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from luxport.backend import Array, namespace
from luxport.backend.dtypes import is_complex, require_numbers, require_real_numbers, run_wide
from luxport.backend.option_rules import AXIS
from luxport.call_arguments import explain_call_errors
from luxport.ops._operation import operation
from luxport.ops._special_functions import erf
from luxport.ops.moments import find_usual_bound
from luxport.ops.readable_values import find_reliance
from luxport.ops.shapes import is_number, read_sizes
from luxport.transforms._stop_gradient import stop_gradient

__all__ = [
    "Activation",
    "gelu_erf",
    "gelu_sigmoid",
    "gelu_tanh",
    "glu",
    "identity",
    "lisht",
    "logcosh",
    "logsigmoid",
    "mish",
    "sigmoid",
    "softplus",
    "softsign",
    "swish",
    "tanh",
    "tanhshrink",
]

Activation: TypeAlias = Callable[[Array], Array]
"""An elementwise function of an array, as layers take it for their activation."""


@explain_call_errors
def identity(x: Array) -> Array:
    """Return x itself."""
    return x


@operation
def tanh(x: Array) -> Array:
    """Return the hyperbolic tangent. Also called tanh_fast."""
    xp = namespace(x)
    return xp.tanh(require_numbers(xp, x, "tanh"))


@operation
def sigmoid(x: Array) -> Array:
    """Return ``1 / (1 + exp(-x))`` without overflow. Also called sigmoid_fast.

    >>> import numpy as np
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    xp = namespace(x)
    x = require_numbers(xp, x, "sigmoid")
    right = _is_right_half(xp, x)
    t = xp.exp(xp.where(right, -x, x))
    return xp.where(right, 1.0, t) / (1.0 + t)


@operation
def logsigmoid(x: Array) -> Array:
    """Return ``log(sigmoid(x))``, that is ``-softplus(-x)``."""
    xp = namespace(x)
    return -softplus(-require_numbers(xp, x, "logsigmoid"))


@operation
def softplus(x: Array) -> Array:
    """Return ``log(1 + exp(x))`` without overflow.

    Source: X. Glorot et al., "Deep sparse rectifier neural networks" (2011)

    >>> import numpy as np
    >>> softplus(np.array([-1000.0, 1000.0]))
    array([   0., 1000.])
    """
    xp = namespace(x)
    x = require_numbers(xp, x, "softplus")
    right = _is_right_half(xp, x)
    rest = xp.log1p(xp.exp(xp.where(right, -x, x)))
    return xp.where(right, x + rest, rest)


@operation
@run_wide
def logcosh(x: Array) -> Array:
    """Return ``log(cosh(x))`` without overflow."""
    xp = namespace(x)
    x = require_numbers(xp, x, "logcosh")
    distance = xp.where(_is_right_half(xp, x), x, -x)
    t = xp.exp(-distance)
    return distance + xp.log1p(t * t) - math.log(2)


@operation
def swish(x: Array) -> Array:
    """Return ``x * sigmoid(x)``.

    Source: P. Ramachandran et al., "Swish: a self-gated activation function" (2017)
    """
    xp = namespace(x)
    return _apply_gate(xp, require_numbers(xp, x, "swish"), sigmoid, _EXPONENTIAL_VANISHES)


@operation
@run_wide
def mish(x: Array) -> Array:
    """Return ``x * tanh(softplus(x))``.

    Source: D. Misra, "Mish: a self regularized non-monotonic activation function" (2019)
    """
    xp = namespace(x)
    x = require_numbers(xp, x, "mish")
    if is_complex(x):
        return x * tanh(softplus(x))

    def gate(left: Array, right: Array) -> Array:
        # tanh(log(1 + t)) is a quotient: t (t + 2) / (t (t + 2) + 2).
        t = xp.exp(left)
        small = t * xp.where(right, 2.0 * t, t + 2.0)
        return small / (small + xp.where(right, 1.0 + 2.0 * t, 2.0))

    return _apply_gate_from_closed_side(xp, x, gate, _EXPONENTIAL_VANISHES)


@operation
def lisht(x: Array) -> Array:
    """Return ``x * tanh(x)``.

    Source: S. K. Roy et al., "LiSHT: non-parametric linearly scaled hyperbolic tangent" (2019)
    """
    xp = namespace(x)
    x = require_numbers(xp, x, "lisht")
    if is_complex(x):
        return x * tanh(x)
    size = xp.where(x >= 0, x, -x)
    near, far = size <= 1.0, size > _GATE_CLOSES
    x = xp.where(near, x, 0.0)
    # In between from 1 - tanh, which is exact: the derivative of tanh, 1 - tanh^2, would be lost in rounding.
    between = xp.where(xp.logical_or(near, far), 1.0, size)
    between = between - 2.0 * between * sigmoid(-2.0 * between)
    return xp.where(near, x * tanh(x), xp.where(far, size, between))


@operation
@run_wide
def tanhshrink(x: Array) -> Array:
    """Return ``x - tanh(x)``."""
    xp = namespace(x)
    x = require_numbers(xp, x, "tanhshrink")
    return x - tanh(x)


@operation
@run_wide
def gelu_tanh(x: Array) -> Array:
    """Return ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))``. Also called gelu.

    Source: D. Hendrycks and K. Gimpel, "Gaussian error linear units" (2016)
    """
    xp = namespace(x)
    x = require_numbers(xp, x, "gelu_tanh")
    return _compute_gelu_of_cubic(xp, x)


@operation
@run_wide
def gelu_sigmoid(x: Array) -> Array:
    """Return ``x * sigmoid(sqrt(8 / pi) * (x + 0.044715 * x**3))``, which equals `gelu_tanh`."""
    xp = namespace(x)
    x = require_numbers(xp, x, "gelu_sigmoid")
    return _compute_gelu_of_cubic(xp, x)


@operation
@run_wide
def gelu_erf(x: Array) -> Array:
    """Return ``x / 2 * (1 + erf(x / sqrt(2)))``: x times the normal distribution function.

    Raises: TypeError if x is complex or boolean
    Source: D. Hendrycks and K. Gimpel, "Gaussian error linear units" (2016)
    """
    xp = namespace(x)
    x = require_real_numbers(xp, x, "gelu_erf")
    return _apply_gate(xp, x, lambda x: 0.5 * (1.0 + erf(x * math.sqrt(0.5))), _GATE_CLOSES)


@operation
def softsign(x: Array) -> Array:
    """Return ``x / (1 + abs(x))``.

    Raises: TypeError if x is complex or boolean
    Source: J. Bergstra et al., "Quadratic polynomials learn better image features" (2009)
    """
    xp = namespace(x)
    x = require_real_numbers(xp, x, "softsign")
    finite = xp.where(xp.abs(x) == math.inf, 0.0, x)
    # Frameworks disagree on the derivative of abs at 0, which is part of the second derivative.
    y = finite / (1.0 + finite * stop_gradient(xp.sign(finite)))
    return xp.where(x == math.inf, 1.0, xp.where(x == -math.inf, -1.0, y))


@operation(rules={"axis": AXIS})
def glu(x: Array, *, axis: int = -1) -> Array:
    """Return the first half along an axis times the sigmoid of the second half.

    Args:
        axis: the axis to split in halves

    Shapes: x (..., 2 n, ...) -> (..., n, ...)
    Raises: ValueError if the size along the axis is odd
    Source: Y. N. Dauphin et al., "Language modeling with gated convolutional networks" (2017)

    >>> import numpy as np
    >>> glu(np.array([[1.0, 2.0, 0.0, 0.0]]))
    array([[0.5, 1. ]])
    """
    xp = namespace(x)
    x = require_numbers(xp, x, "glu")
    shape = read_sizes(x)
    if is_number(shape[axis]) and shape[axis] % 2:
        raise ValueError(f"glu expects an even size along axis {axis}, got the shape {shape}")
    before, half = (slice(None),) * (axis % len(shape)), shape[axis] // 2
    return x[(*before, slice(None, half), ...)] * sigmoid(x[(*before, slice(half, None), ...)])


def _is_right_half(xp: Any, x: Array) -> Array:
    return (xp.real(x) if is_complex(x) else x) >= 0


def _apply_gate(xp: Any, x: Array, gate: Activation, far: float) -> Array:
    """Return x times a gate that rises from 0 to 1. Beyond `far` the gate is 0 or 1, and the result 0 or x.

    There no product is taken: 0 times infinity would be NaN, and so would its gradient.
    """
    if is_complex(x):
        return x * gate(x)
    near = _keep_near(xp, x, far)
    y = near * gate(near)
    return y if near is x else xp.where(x > far, x, y)


def _keep_near(xp: Any, x: Array, far: float) -> Array:
    """Return x with 0 beyond `far`, or x itself in a program that can assume that no number is huge."""
    if (rely_on := find_reliance(x)) is not None and 0 not in x.shape:
        # As long as nothing overflows, a closed gate is 0, and so is its derivative.
        rely_on(xp.max(xp.abs(x)) < find_usual_bound(xp, x))
        return x
    return xp.where(xp.abs(x) > far, 0.0, x)


def _compute_gelu_of_cubic(xp: Any, x: Array) -> Array:
    """Return x times the sigmoid of a cubic, which equals ``(1 + tanh(cubic / 2)) / 2``."""
    if is_complex(x):
        return x * sigmoid(_compute_cubic(x))

    # Right on the right side, too, since 1 - sigmoid(x) is sigmoid(-x).
    return _apply_gate_from_closed_side(xp, x, lambda left, right: sigmoid(_compute_cubic(left)), _GATE_CLOSES)


def _apply_gate_from_closed_side(xp: Any, x: Array, gate: Callable[[Array, Array], Array], far: float) -> Array:
    """Return x times a gate that rises from 0 to 1, computed from the side on which it is closed; for real x.

    `gate` takes ``-abs(x)`` and whether x is at least 0, and returns the small number: the gate itself on the left, 1
    minus the gate on the right. Its derivative is then exact, and no difference of nearly equal numbers.
    """
    near, right = _keep_near(xp, x, far), x >= 0
    part = near * gate(xp.where(right, -near, near), right)
    return xp.where(right, x - part, part)


def _compute_cubic(x: Array) -> Array:
    scale = math.sqrt(8 / math.pi)
    return x * (scale + (scale * 0.044715) * (x * x))


_EXPONENTIAL_VANISHES = 750.0
"""Beyond this ``exp(-x)`` is 0 in any dtype: in float64 it is from 746 on."""

_GATE_CLOSES = 30.0
"""Beyond this tanh, erf and the sigmoid of a cubic are -1, 0 or 1 in any dtype."""
