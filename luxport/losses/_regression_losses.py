"""Losses for regression, as objects with options: `MSELoss`, `MAELoss`, `HuberLoss` and others."""

from __future__ import annotations

from typing import Any, TypeAlias

from luxport.backend import Array
from luxport.losses import _regression as regression
from luxport.losses._common import Aggregation, choose_epsilon, match_target
from luxport.losses._loss import FunctionLoss, Loss

__all__ = ["HuberLoss", "L1Loss", "L2Loss", "MAELoss", "MSELoss", "MSLELoss", "PoissonLoss"]


class MSELoss(FunctionLoss):
    """`mse` with its options.

    Args:
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``MSELoss``
    """

    agg: Aggregation = "mean"
    function = staticmethod(regression.mse)


class MAELoss(FunctionLoss):
    """`mae` with its options.

    Args:
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``MAELoss``
    """

    agg: Aggregation = "mean"
    function = staticmethod(regression.mae)


L1Loss: TypeAlias = MAELoss


L2Loss: TypeAlias = MSELoss


class MSLELoss(FunctionLoss):
    """`msle` with its options.

    Args:
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``MSLELoss``
    """

    agg: Aggregation = "mean"
    epsilon: float | None = None
    function = staticmethod(regression.msle)


class HuberLoss(FunctionLoss):
    """`huber_loss` with its options.

    Args:
        delta: the distance up to which the loss is quadratic, at least 0
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``HuberLoss``
    """

    delta: float = 1.0
    agg: Aggregation = "mean"
    function = staticmethod(regression.huber_loss)


class PoissonLoss(Loss):
    """`poisson_loss` with its options, but with Lux's default for epsilon.

    Args:
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``PoissonLoss``
    """

    agg: Aggregation = "mean"
    epsilon: float | None = None

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        _, y_hat, y = match_target("PoissonLoss", y_hat, y)
        return regression.poisson_loss(y_hat, y, agg=self.agg, epsilon=choose_epsilon(y_hat, self.epsilon))
