"""Losses of similarity, as objects with options: `DiceCoeffLoss`, `SiameseContrastiveLoss`."""

from __future__ import annotations

from typing import Any

from luxport.backend import Array
from luxport.losses import _distance as distance
from luxport.losses import _overlap as overlap
from luxport.losses._common import Aggregation, match_target
from luxport.losses._loss import FunctionLoss, Loss

__all__ = ["DiceCoeffLoss", "SiameseContrastiveLoss"]


class DiceCoeffLoss(Loss):
    """`dice_coeff_loss` of each sample, over all axes but the first, then reduced; a vector is one sample.

    Args:
        smooth: a number added to numerator and denominator, so that the loss of two empty regions is 0
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``DiceCoeffLoss``
    """

    smooth: float = 1.0
    agg: Aggregation = "mean"

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        _, y_hat, y = match_target("DiceCoeffLoss", y_hat, y)
        axes = tuple(range(1, len(y_hat.shape))) or None
        return overlap.dice_coeff_loss(y_hat, y, smooth=self.smooth, axis=axes, agg=self.agg)


class SiameseContrastiveLoss(FunctionLoss):
    """`siamese_contrastive_loss` with its options.

    Args:
        margin: how far apart pairs should be, at least 0
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``SiameseContrastiveLoss``
    """

    margin: float = 1.0
    agg: Aggregation = "mean"
    function = staticmethod(distance.siamese_contrastive_loss)
