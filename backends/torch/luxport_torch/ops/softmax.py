"""Softmax and its logarithm by PyTorch."""

from __future__ import annotations

import math

import torch

from luxport import ops
from luxport.ops._softmax import Axes

__all__ = ["logsoftmax", "softmax"]

_softmax_definition = ops.definition_of(ops.softmax)
_logsoftmax_definition = ops.definition_of(ops.logsoftmax)


def softmax(x: torch.Tensor, *, axis: Axes = -1) -> torch.Tensor:
    """Call the library once; it makes NaN of inf, so the largest finite number takes the place of inf."""
    if not isinstance(axis, int) or not x.is_floating_point():
        return _softmax_definition(x, axis=axis)
    if x.dtype.itemsize < 4:  # the library's gradient is that of the rounded result
        return softmax(x.float(), axis=axis).to(x.dtype)
    return torch.softmax(x.clamp(max=torch.finfo(x.dtype).max), axis)


def logsoftmax(x: torch.Tensor, *, axis: Axes = -1) -> torch.Tensor:
    """Call the library once; where x holds an inf, on 0 in its place and -inf elsewhere."""
    if not isinstance(axis, int) or not x.is_floating_point():
        return _logsoftmax_definition(x, axis=axis)
    if x.dtype.itemsize < 4:  # the library's sum of thousands overflows
        return logsoftmax(x.float(), axis=axis).to(x.dtype)
    infinite = x.detach() == math.inf
    beside = torch.where(infinite, 0.0, -math.inf)
    return torch.log_softmax(torch.where(infinite.any(axis, keepdim=True), beside.to(x.dtype), x), axis)
