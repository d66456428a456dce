"""Losses for classification, with labels that are one-hot (or any probabilities), or -1 and 1."""

from __future__ import annotations

import math
from typing import Any

from luxport import ops
from luxport.backend import Array, namespace
from luxport.losses._common import Aggregation, aggregate, choose_epsilon, match_target, wrap_loss
from luxport.ops._operation import operation
from luxport.ops._softmax import halve_logsoftmax
from luxport.ops.readable_values import prefer_finite

__all__ = [
    "binary_focal_loss",
    "binarycrossentropy",
    "crossentropy",
    "focal_loss",
    "hinge_loss",
    "kldivergence",
    "logitbinarycrossentropy",
    "logitcrossentropy",
    "squared_hinge_loss",
]


@wrap_loss()
def crossentropy(
    y_hat: Array, y: Array, *, axis: int = -1, agg: Aggregation = "mean", epsilon: float | None = None
) -> Array:
    """Return ``agg(-sum(y log(y_hat + epsilon)))``, summed over the classes along the axis.

    y_hat are probabilities, as from `softmax`; for logits, `logitcrossentropy` is more exact. For labels that are
    indices of classes see `sparse_crossentropy`.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        axis: the axis of the classes
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Shapes: y_hat, y (..., classes); the losses (...)
    Source: Flux.jl ``crossentropy``; Lux.jl ``CrossEntropyLoss``

    >>> import numpy as np
    >>> print(round(float(crossentropy(np.array([[0.1, 0.9]]), np.array([[0, 1]]))), 6))
    0.105361
    """
    xp, y_hat, y = match_target("crossentropy", y_hat, y)
    return aggregate(-xp.sum(ops.xlogy(y, y_hat + choose_epsilon(y_hat, epsilon)), axis=axis), agg)


@wrap_loss()
def logitcrossentropy(y_hat: Array, y: Array, *, axis: int = -1, agg: Aggregation = "mean") -> Array:
    """Return ``agg(-sum(y logsoftmax(y_hat)))``, summed over the classes along the axis.

    For labels that are indices of classes see `sparse_logitcrossentropy`.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        axis: the axis of the classes
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Shapes: y_hat, y (..., classes); the losses (...)
    Source: Flux.jl ``logitcrossentropy``; Lux.jl ``CrossEntropyLoss``
    """
    _, y_hat, y = match_target("logitcrossentropy", y_hat, y)
    if callable(agg):
        return agg(crossentropy_of_logits(y_hat, y, axis=axis, agg=None))
    return crossentropy_of_logits(y_hat, y, axis=axis, agg=agg)


@operation(takes="y_hat floating (...), y floating (...)", early=False)
def crossentropy_of_logits(y_hat: Array, y: Array, *, axis: int, agg: str | None) -> Array:
    """Return `logitcrossentropy` for y in the dtype of y_hat, reduced by "mean", "sum" or not at all.

    Shapes: y_hat, y (..., classes) -> (), or (...) if agg is None
    """
    xp = namespace(y_hat, y)

    def add_up(logarithms: Array) -> Array:
        # 0 times the logarithm of 0 counts as 0.
        impossible = xp.logical_and(y == 0, logarithms == -math.inf)
        return aggregate(-xp.sum(y * xp.where(impossible, 0.0, logarithms), axis=axis), agg)

    return prefer_finite(
        y_hat,
        lambda: add_up(ops.logsoftmax(y_hat, axis=axis)),
        lambda: 2.0 * add_up(halve_logsoftmax(y_hat, axis=axis)),
    )


@wrap_loss()
def binarycrossentropy(y_hat: Array, y: Array, *, agg: Aggregation = "mean", epsilon: float | None = None) -> Array:
    """Return ``agg(-y log(y_hat + epsilon) - (1 - y) log(1 - y_hat + epsilon))``.

    y_hat are probabilities; for logits, `logitbinarycrossentropy` is more exact.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Source: Flux.jl ``binarycrossentropy``; Lux.jl ``BinaryCrossEntropyLoss``
    """
    _, y_hat, y = match_target("binarycrossentropy", y_hat, y)
    epsilon = choose_epsilon(y_hat, epsilon)
    return aggregate(-ops.xlogy(y, y_hat + epsilon) - ops.xlogy(1.0 - y, 1.0 - y_hat + epsilon), agg)


@wrap_loss()
def logitbinarycrossentropy(y_hat: Array, y: Array, *, agg: Aggregation = "mean") -> Array:
    """Return ``agg((1 - y) y_hat - log(sigmoid(y_hat)))``.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Flux.jl ``logitbinarycrossentropy``; Lux.jl ``BinaryCrossEntropyLoss``
    """
    xp, y_hat, y = match_target("logitbinarycrossentropy", y_hat, y)
    right = y_hat >= 0
    wrong = xp.where(right, 1.0 - y, -y)  # if this factor of y_hat is 0, so is the product, even for an infinite y_hat
    losses = xp.where(wrong == 0, 0.0, wrong * y_hat) + ops.softplus(xp.where(right, -y_hat, y_hat))
    return aggregate(losses, agg)


@wrap_loss()
def focal_loss(
    y_hat: Array,
    y: Array,
    *,
    axis: int = -1,
    agg: Aggregation = "mean",
    gamma: float = 2.0,
    epsilon: float | None = None,
) -> Array:
    """Return ``agg(-sum(y (1 - p)^gamma log p))`` with ``p = y_hat + epsilon``, summed over classes along the axis.

    With gamma = 0 this is `crossentropy`.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        axis: the axis of the classes
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        gamma: how strongly well-predicted classes are weighted down, at least 0
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Shapes: y_hat, y (..., classes); the losses (...)
    Source: Flux.jl ``focal_loss``; Lux.jl ``FocalLoss``; T.-Y. Lin et al., "Focal loss for dense object
            detection" (2017)
    """
    xp, y_hat, y = match_target("focal_loss", y_hat, y)
    p = y_hat + choose_epsilon(y_hat, epsilon)
    return aggregate(-xp.sum(ops.xlogy(y * _raise_to_power(1.0 - p, gamma), p), axis=axis), agg)


@wrap_loss()
def binary_focal_loss(
    y_hat: Array, y: Array, *, agg: Aggregation = "mean", gamma: float = 2.0, epsilon: float | None = None
) -> Array:
    """Return ``agg(-(1 - p)^gamma log p)``, where p is the probability of the true one of two classes.

    ``p = y (y_hat + epsilon) + (1 - y) (1 - y_hat - epsilon)``, but at least epsilon, since for y = 0 and y_hat = 1 it
    would be negative. There the gradient is that at p = epsilon, not 0, so that a certain but wrong prediction changes.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        gamma: how strongly well-predicted classes are weighted down, at least 0
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Source: Flux.jl ``binary_focal_loss``; Lux.jl ``BinaryFocalLoss``
    """
    xp, y_hat, y = match_target("binary_focal_loss", y_hat, y)
    epsilon = choose_epsilon(y_hat, epsilon)
    # y_hat occurs once: two infinite gradients of opposite signs, or one times 0, would add up to NaN.
    p = (1.0 - y) + (2.0 * y - 1.0) * (y_hat + epsilon)
    p = p + ops.stop_gradient(ops.relu(epsilon - p))
    return aggregate(-ops.xlogy(_raise_to_power(1.0 - p, gamma), p), agg)


@wrap_loss()
def kldivergence(
    y_hat: Array, y: Array, *, axis: int = -1, agg: Aggregation = "mean", epsilon: float | None = None
) -> Array:
    """Return ``agg(sum(y log(y) - y log(y_hat + epsilon)))``, the Kullback-Leibler divergence along the axis.

    Both are probabilities (PyTorch's function takes the logarithm of the first). 0 log 0 counts as 0.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        axis: the axis of the classes
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Shapes: y_hat, y (..., classes); the losses (...)
    Source: Flux.jl ``kldivergence``; Lux.jl ``KLDivergenceLoss``
    """
    xp, y_hat, y = match_target("kldivergence", y_hat, y)
    terms = ops.xlogx(y) - ops.xlogy(y, y_hat + choose_epsilon(y_hat, epsilon))
    return aggregate(xp.sum(terms, axis=axis), agg)


@wrap_loss()
def hinge_loss(y_hat: Array, y: Array, *, agg: Aggregation = "mean") -> Array:
    """Return ``agg(max(0, 1 - y_hat y))`` for labels -1 and 1.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Flux.jl ``hinge_loss``; Lux.jl ``HingeLoss``
    """
    xp, y_hat, y = match_target("hinge_loss", y_hat, y)
    return aggregate(_measure_shortfall(xp, y_hat, y), agg)


@wrap_loss()
def squared_hinge_loss(y_hat: Array, y: Array, *, agg: Aggregation = "mean") -> Array:
    """Return ``agg(max(0, 1 - y_hat y)²)`` for labels -1 and 1.

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Flux.jl ``squared_hinge_loss``; Lux.jl ``SquaredHingeLoss``
    """
    xp, y_hat, y = match_target("squared_hinge_loss", y_hat, y)
    shortfall = _measure_shortfall(xp, y_hat, y)
    return aggregate(shortfall * shortfall, agg)


def _measure_shortfall(xp: Any, y_hat: Array, y: Array) -> Array:
    """Return ``max(0, 1 - y_hat y)``; where it is 0, so is the gradient with respect to y, even for infinite y_hat."""
    enough = y_hat * y >= 1.0
    return xp.where(enough, 0.0, 1.0 - xp.where(enough, 0.0, y_hat) * y)


def _raise_to_power(base: Array, exponent: float) -> Array:
    """Return ``max(base, 0) ** exponent``, with a gradient of 0 where the base is 0 or less.

    The base may be less than 0 by an epsilon. At 0 the derivative for an exponent below 1 would be infinite.
    """
    xp = namespace(base)
    if exponent == 0:
        return xp.ones_like(base)
    outside = base <= 0
    return xp.where(outside, 0.0, xp.where(outside, 1.0, base) ** exponent)
