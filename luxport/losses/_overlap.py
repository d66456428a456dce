"""Losses for segmentation: how much the predicted and the true region overlap."""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

from luxport.backend import Array
from luxport.backend.option_rules import AXES
from luxport.losses._common import Aggregation, aggregate, match_target, wrap_loss
from luxport.ops.moments import is_variance_usual
from luxport.ops.readable_values import may_look
from luxport.ops.scaling import find_divisor

__all__ = ["dice_coeff_loss", "tversky_loss"]

Axes: TypeAlias = int | tuple[int, ...] | None


@wrap_loss(axis=AXES)
def dice_coeff_loss(
    y_hat: Array, y: Array, *, smooth: float = 1.0, axis: Axes = None, agg: Aggregation = "mean"
) -> Array:
    """Return ``agg(1 - (2 sum(y y_hat) + smooth) / (sum(y²) + sum(y_hat²) + smooth))``.

    (Lux's `DiceCoeffLoss` computes a loss for each sample.)

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        smooth: a number added to numerator and denominator, so that the loss of two empty regions is 0
        axis: the axes to sum over, an int or a tuple; None for all
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Flux.jl ``dice_coeff_loss``; F. Milletari et al., "V-Net" (2016)
    """
    xp, y_hat, y = match_target("dice_coeff_loss", y_hat, y)

    def compute_parts(y_hat: Array, y: Array, smooth: Any) -> tuple[Array, Array]:
        common, squares = [xp.sum(z, axis=axis, keepdims=True) for z in (y * y_hat, y * y + y_hat * y_hat)]
        return 2.0 * common + smooth, squares + smooth

    over, under = compute_parts(y_hat, y, smooth)
    if 0 not in y_hat.shape and _may_overflow(xp, under):
        size = _find_size(xp, axis, 2.0, y_hat, y)
        over, under = compute_parts(y_hat / size, y / size, smooth / size / size)
    return aggregate(1.0 - _drop_axes(xp, over / under, axis), agg)


@wrap_loss(axis=AXES)
def tversky_loss(y_hat: Array, y: Array, *, beta: float = 0.7, axis: Axes = None, agg: Aggregation = "mean") -> Array:
    """Return ``agg(1 - (TP + 1) / (TP + beta FP + (1 - beta) FN + 1))``.

    The true positives are ``TP = sum(y y_hat)``, the false positives ``FP = sum((1 - y) y_hat)``, the false negatives
    ``FN = sum(y (1 - y_hat))``. (So they are in Flux's code and tests; its documentation exchanges FP and FN.)

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        beta: the weight of false positives; that of false negatives is 1 - beta
        axis: the axes to sum over, an int or a tuple; None for all
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Flux.jl ``tversky_loss``; S. Salehi et al., "Tversky loss function for image segmentation" (2017)
    """
    xp, y_hat, y = match_target("tversky_loss", y_hat, y)

    def compute_parts(y_hat: Array, y: Array, one: Any) -> tuple[Array, Array]:
        common = xp.sum(y * y_hat, axis=axis, keepdims=True)
        false = beta * (1.0 - y) * y_hat + (1.0 - beta) * y * (one - y_hat)
        return common + one, common + xp.sum(false, axis=axis, keepdims=True) + one

    over, under = compute_parts(y_hat, y, 1.0)
    if 0 not in y_hat.shape and _may_overflow(xp, under):
        size = _find_size(xp, axis, 1.0, y_hat)
        over, under = compute_parts(y_hat / size, y, 1.0 / size)
    return aggregate(1.0 - _drop_axes(xp, over / under, axis), agg)


def _may_overflow(xp: Any, total: Array) -> bool:
    """Tell whether a sum may overflow, or its value cannot be read: then numerator and denominator are scaled."""
    return not (may_look(total) and is_variance_usual(xp, xp.abs(total), 1.0))


def _find_size(xp: Any, axis: Axes, power: float, *arrays: Array) -> Array:
    """Return what to divide arrays by so that powers of their numbers do not overflow; 1 where they would not."""
    sizes = [find_divisor(xp, array, axis, power) for array in arrays]
    return functools.reduce(xp.maximum, sizes, xp.ones_like(sizes[0]))


def _drop_axes(xp: Any, x: Array, axis: Axes) -> Array:
    return xp.squeeze(x, axis=tuple(range(len(x.shape))) if axis is None else axis)
