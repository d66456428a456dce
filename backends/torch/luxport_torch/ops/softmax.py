"""PyTorch's overrides of softmax and its logarithm."""

from __future__ import annotations

import math

import torch

from luxport import ops
from luxport.ops._softmax import Axes

__all__ = ["logsoftmax", "softmax"]

_softmax_definition = ops.definition_of(ops.softmax)
_logsoftmax_definition = ops.definition_of(ops.logsoftmax)


def softmax(x: torch.Tensor, *, axis: Axes = -1) -> torch.Tensor:
    """Call PyTorch's function with inf replaced by the largest finite number, as it returns NaN for inf."""
    if not isinstance(axis, int) or not x.is_floating_point():
        return _softmax_definition(x, axis=axis)
    if x.dtype.itemsize < 4:  # PyTorch computes the gradient from the rounded result
        return softmax(x.float(), axis=axis).to(x.dtype)
    return torch.softmax(x.clamp(max=torch.finfo(x.dtype).max), axis)


def logsoftmax(x: torch.Tensor, *, axis: Axes = -1) -> torch.Tensor:
    """Call PyTorch's function; in rows that have an inf, with 0 in its place and -inf elsewhere."""
    if not isinstance(axis, int) or not x.is_floating_point():
        return _logsoftmax_definition(x, axis=axis)
    if x.dtype.itemsize < 4:  # PyTorch's sum of thousands of numbers overflows
        return logsoftmax(x.float(), axis=axis).to(x.dtype)
    infinite = x.detach() == math.inf
    beside = torch.where(infinite, 0.0, -math.inf)
    return torch.log_softmax(torch.where(infinite.any(axis, keepdim=True), beside.to(x.dtype), x), axis)
