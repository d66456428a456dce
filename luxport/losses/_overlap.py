"""Losses of regions: how much the predicted and the true region overlap."""

from __future__ import annotations

from typing import TypeAlias

from luxport.backend import Array
from luxport.backend.option_rules import AXES
from luxport.losses._common import Aggregation, aggregate, loss_function, match_target

__all__ = ["dice_coeff_loss", "tversky_loss"]

Axes: TypeAlias = int | tuple[int, ...] | None


@loss_function(axis=AXES)
def dice_coeff_loss(
    y_hat: Array, y: Array, *, smooth: float = 1.0, axis: Axes = None, agg: Aggregation = "mean"
) -> Array:
    """Return ``agg(1 - (2 sum(y y_hat) + smooth) / (sum(y²) + sum(y_hat²) + smooth))``.

    (Lux's `DiceCoeffLoss` has one loss per sample.)

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        smooth: a number added above and below, so that nothing in common with nothing has the loss 0
        axis: the axes to sum over, an int or a tuple; None for all
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array

    Source: Flux.jl ``dice_coeff_loss``; F. Milletari et al., "V-Net" (2016)
    """
    xp, y_hat, y = match_target("dice_coeff_loss", y_hat, y)
    common = xp.sum(y * y_hat, axis=axis)
    both = xp.sum(y * y, axis=axis) + xp.sum(y_hat * y_hat, axis=axis)
    return aggregate(1.0 - (2.0 * common + smooth) / (both + smooth), agg)


@loss_function(axis=AXES)
def tversky_loss(y_hat: Array, y: Array, *, beta: float = 0.7, axis: Axes = None, agg: Aggregation = "mean") -> Array:
    """Return ``agg(1 - (TP + 1) / (TP + beta FP + (1 - beta) FN + 1))``.

    ``TP = sum(y y_hat)``, the false positives are ``FP = sum((1 - y) y_hat)``, the false negatives
    ``FN = sum(y (1 - y_hat))``. (Flux's code, which its tests pin, does so; its documentation has both exchanged.)

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        beta: the weight of false positives, against that of false negatives
        axis: the axes to sum over, an int or a tuple; None for all
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array

    Source: Flux.jl ``tversky_loss``; S. Salehi et al., "Tversky loss function for image segmentation" (2017)
    """
    xp, y_hat, y = match_target("tversky_loss", y_hat, y)
    common = xp.sum(y * y_hat, axis=axis)
    weighted = common + xp.sum(beta * (1.0 - y) * y_hat + (1.0 - beta) * y * (1.0 - y_hat), axis=axis)
    return aggregate(1.0 - (common + 1.0) / (weighted + 1.0), agg)
