"""Losses for regression."""

from __future__ import annotations

import math

from luxport import ops
from luxport.backend import Array, dtype_name, namespace
from luxport.backend.dtypes import is_complex
from luxport.backend.option_rules import NON_NEGATIVE
from luxport.losses._common import Aggregation, aggregate, choose_epsilon, match_target, wrap_loss
from luxport.ops._operation import operation
from luxport.ops.moments import find_usual_bound
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["gaussian_nll", "huber_loss", "mae", "mse", "msle", "poisson_loss", "squared_error"]


@wrap_loss()
def mse(y_hat: Array, y: Array, *, agg: Aggregation = "mean") -> Array:
    """Return ``agg(|y_hat - y|²)``, the mean squared error, which is real for complex numbers, too.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Flux.jl ``mse``; Lux.jl ``MSELoss``

    >>> import numpy as np
    >>> print(round(float(mse(np.array([1.1, 1.9, 3.1]), np.array([1, 2, 3]))), 6))
    0.01
    """
    _, y_hat, y = match_target("mse", y_hat, y, complex_too=True)
    return agg(squared_error(y_hat, y, agg=None)) if callable(agg) else squared_error(y_hat, y, agg=agg)


@operation(takes="y_hat inexact (...), y like y_hat (...)", early=False)
def squared_error(y_hat: Array, y: Array, *, agg: str | None) -> Array:
    """Return `mse` of arrays of one shape and dtype, reduced by "mean", "sum" or not at all.

    Shapes: y_hat, y (...) -> (), or (...) if agg is None
    """
    return aggregate(_square(y_hat - y), agg)


@wrap_loss()
def mae(y_hat: Array, y: Array, *, agg: Aggregation = "mean") -> Array:
    """Return ``agg(|y_hat - y|)``, the mean absolute error, which is real for complex numbers, too.

    Where the two are equal the gradient is 0, halfway between its values on both sides.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Flux.jl ``mae``; Lux.jl ``MAELoss``
    """
    xp, y_hat, y = match_target("mae", y_hat, y, complex_too=True)
    difference = y_hat - y
    if is_complex(difference):
        return aggregate(xp.abs(difference), agg)
    # Not abs, on whose derivative at 0 frameworks disagree.
    return aggregate(difference * stop_gradient(xp.sign(difference)), agg)


@wrap_loss()
def msle(y_hat: Array, y: Array, *, agg: Aggregation = "mean", epsilon: float | None = None) -> Array:
    """Return ``agg(log((y_hat + epsilon) / (y + epsilon))²)``, the mean squared logarithmic error.

    (Keras adds 1 instead of epsilon.)

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Source: Flux.jl ``msle``; Lux.jl ``MSLELoss``
    """
    xp, y_hat, y = match_target("msle", y_hat, y)
    epsilon = choose_epsilon(y_hat, epsilon)
    over, under = y_hat + epsilon, y + epsilon
    # Where one of the two is infinite, the loss is infinite and has no gradient.
    infinite = (over == math.inf) != (under == math.inf)
    over, under = xp.where(infinite, 1.0, over), xp.where(infinite, 1.0, under)
    # The logarithm of the quotient is more exact than a difference, but the quotient or its gradient might overflow.
    bound = find_usual_bound(xp, y_hat)
    least = xp.where(over < under, over, under)
    normal = (xp.where(over < under, under, over) < bound) & (least * bound > 1.0)
    ratio = xp.where(normal, over, 1.0) / xp.where(normal, under, 1.0)
    logarithm = xp.where(normal, xp.log(ratio), xp.log(over) - xp.log(under))
    return aggregate(xp.where(infinite, math.inf, logarithm * logarithm), agg)


@wrap_loss()
def huber_loss(y_hat: Array, y: Array, *, agg: Aggregation = "mean", delta: float = 1.0) -> Array:
    """Return ``agg(d²/2)`` where the distance ``d = |y_hat - y|`` is at most delta, ``delta (d - delta/2)`` beyond.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        delta: the distance up to which the loss is quadratic, at least 0

    Source: Flux.jl ``huber_loss``; Lux.jl ``HuberLoss``
    """
    xp, y_hat, y = match_target("huber_loss", y_hat, y, complex_too=True)
    difference = y_hat - y
    distance = xp.abs(difference)
    near = distance <= delta
    # Large differences are replaced: their squares may be infinite, whose gradients are NaN even if not selected.
    square = _square(xp.where(near, difference, 0.0))
    return aggregate(xp.where(near, 0.5 * square, delta * (distance - 0.5 * delta)), agg)


@wrap_loss(epsilon=NON_NEGATIVE)
def poisson_loss(y_hat: Array, y: Array, *, agg: Aggregation = "mean", epsilon: float = 0.0) -> Array:
    """Return ``agg(y_hat - y log(y_hat + epsilon))``, for counts y from a Poisson distribution with mean y_hat.

    Terms that do not depend on y_hat (Stirling's) are omitted.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; 0 as in Flux (Lux's `PoissonLoss` has the dtype's)

    Source: Flux.jl ``poisson_loss``
    """
    xp, y_hat, y = match_target("poisson_loss", y_hat, y)
    # For an infinite y_hat the loss is infinite, and its gradient with respect to y, -log(y_hat), too: so is that of
    # the root of 0, which is subtracted.
    infinite = y_hat == math.inf
    root = xp.sqrt(xp.where(infinite, y - stop_gradient(y), 1.0))
    losses = y_hat - ops.xlogy(y, xp.where(infinite, 1.0, y_hat) + epsilon)
    return aggregate(xp.where(infinite, y_hat - root, losses), agg)


@wrap_loss("y_hat, y or number, variance or number", epsilon=NON_NEGATIVE)
def gaussian_nll(
    y_hat: Array,
    y: Array,
    variance: Array,
    *,
    agg: Aggregation = "mean",
    full: bool = False,
    epsilon: float = 1e-6,
) -> Array:
    """Return ``agg((log v + (y_hat - y)² / v) / 2)``, the negative log-likelihood of a normal distribution.

    The variance counts as at least epsilon: ``v = max(variance, epsilon)``.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        variance: the variance, an array like y_hat or a number for all entries
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        full: whether the constant ``log(2 pi) / 2`` is added
        epsilon: the smallest variance

    Shapes: y_hat, y, variance (...)
    Source: PyTorch ``GaussianNLLLoss``
    """
    xp, y_hat, y = match_target("gaussian_nll", y_hat, y)
    _, _, variance = match_target("gaussian_nll", y_hat, variance)
    v = xp.where(variance < epsilon, xp.full_like(variance, epsilon), variance)
    # The difference is divided by the standard deviation before it is squared, which might overflow. So might the
    # gradient of the quotient in MLX, which multiplies by the difference first: hence a divisor near 1, root / size.
    root = xp.sqrt(v)
    size = stop_gradient(xp.where(v == math.inf, xp.ones_like(v), root))
    deviation = (y_hat - y) / size * (root / size) ** -1.0
    losses = 0.5 * (xp.log(v) + deviation * deviation)
    return aggregate(losses + 0.5 * math.log(2 * math.pi) if full else losses, agg)


def _square(x: Array) -> Array:
    if not dtype_name(x).startswith("complex"):
        return x * x
    xp = namespace(x)
    real, imag = xp.real(x), xp.imag(x)
    return real * real + imag * imag
