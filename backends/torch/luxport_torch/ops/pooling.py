"""PyTorch's overrides of pooling."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from luxport import ops
from luxport.ops.averages import average
from luxport.ops.windows import Pairs, Sizes
from luxport_torch.ops.conv import pad_axes

__all__ = ["take_largest", "max_pool_nd", "mean_pool_nd"]

_MAX = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_MEAN = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
_max_definition = ops.definition_of(ops.max_pool_nd)
_mean_definition = ops.definition_of(ops.mean_pool_nd)


def max_pool_nd(x: torch.Tensor, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes) -> torch.Tensor:
    """Call PyTorch's function, whose gradient goes to the first of equal maxima, as the definition's does."""
    pool = _MAX.get(len(window))
    if pool is None or not x.is_floating_point():
        return _max_definition(x, window=window, stride=stride, padding=padding, dilation=dilation)
    around = _find_even_padding(window, padding)
    if around is None:
        x, around = pad_axes(x, padding, -math.inf), (0,) * len(window)
    if len(window) == 1 and torch.compiler.is_compiling():  # `max_pool1d` would be compiled anew for each size
        y = functional.max_pool2d(x.unsqueeze(2), (1, *window), (1, *stride), (0, *around), (1, *dilation))
        return y.squeeze(2)
    return pool(x, window, stride, around, dilation)


def take_largest(x: torch.Tensor, *, axis: int) -> torch.Tensor:
    """Call PyTorch's function, whose gradient goes to the first of equal maxima, as the definition's does."""
    return torch.max(x, dim=axis, keepdim=True).values


def mean_pool_nd(
    x: torch.Tensor,
    *,
    window: Sizes,
    stride: Sizes,
    padding: Pairs,
    dilation: Sizes,
    count_include_pad: bool,
) -> torch.Tensor:
    """Call PyTorch's function if it supports the options; otherwise the definition."""
    pool = _MEAN.get(len(window))
    around = _find_even_padding(window, padding)
    there = x.is_floating_point()
    if pool is None or not there or any(d > 1 for d in dilation) or (around is None and not count_include_pad):
        return _mean_definition(
            x, window=window, stride=stride, padding=padding, dilation=dilation, count_include_pad=count_include_pad
        )
    if around is None:
        x, around = pad_axes(x, padding, 0.0), (0,) * len(window)
    wide = x if x.dtype.itemsize >= 4 else x.float()
    return average(wide, mean=lambda x: pool(x, window, stride, around, False, count_include_pad)).to(x.dtype)


def _find_even_padding(window: Sizes, padding: Pairs) -> Sizes | None:
    """Return the padding if PyTorch supports it: equal on both sides, at most half a window. Otherwise None."""
    if all(low == high and 2 * low <= k for k, (low, high) in zip(window, padding, strict=True)):
        return tuple(low for low, _ in padding)
    return None
