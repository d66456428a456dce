"""PyTorch's override of the squared error."""

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
    """Call PyTorch's kernel, if eager; compiled programs use the definition, which the compiler fuses."""
    usual = y_hat.dtype is torch.float32 or y_hat.dtype is torch.float64
    if usual and y.dtype is y_hat.dtype and y.shape == y_hat.shape and may_look(y_hat):
        # The kernel that `torch.nn.functional.mse_loss` calls after it has compared the shapes.
        loss = torch._C._nn.mse_loss(y_hat, y, _REDUCTIONS[agg])  # type: ignore[attr-defined]
        if agg != "mean" or math.isfinite(loss.item()):
            return loss
    return _define(y_hat, y, agg=agg)
