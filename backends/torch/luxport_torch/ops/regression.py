"""Squared errors by PyTorch."""

from __future__ import annotations

import math

import torch

from luxport.losses import _regression as regression
from luxport.ops import definition_of
from luxport_torch.readable_values import may_look

__all__ = ["squared_error"]

_define = definition_of(regression.squared_error)
_REDUCTIONS = {None: 0, "mean": 1, "sum": 2}


def squared_error(y_hat: torch.Tensor, y: torch.Tensor, *, agg: str | None) -> torch.Tensor:
    """Call the library's function, whose gradient is one call, too; a compiler fuses the definition."""
    usual = y_hat.dtype is torch.float32 or y_hat.dtype is torch.float64
    if usual and y.dtype is y_hat.dtype and y.shape == y_hat.shape and may_look(y_hat):
        # What `torch.nn.functional.mse_loss` calls after it has asked whether the shapes are one.
        loss = torch._C._nn.mse_loss(y_hat, y, _REDUCTIONS[agg])  # type: ignore[attr-defined]
        if agg != "mean" or math.isfinite(loss.item()):
            return loss
    return _define(y_hat, y, agg=agg)
