"""PyTorch's override of `dense`."""

from __future__ import annotations

import torch
from torch.nn import functional

from luxport import ops
from luxport.backend.dtypes import expect_no_booleans
from luxport.ops import definition_of
from luxport_torch.autocast import casts
from luxport_torch.readable_values import may_look

__all__ = ["dense"]

_define_dense = definition_of(ops.dense)


def dense(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Call PyTorch's matrix product, which adds the bias in the same pass."""
    dtype = x.dtype
    if dtype is torch.bool:  # PyTorch's compiler would multiply them
        expect_no_booleans(x)
    # If the bias has one axis but the wrong size, PyTorch raises an error itself, unless the size is 1: it broadcasts.
    if (
        dtype is not weight.dtype
        or (bias is not None and (bias.dtype is not dtype or bias.ndim != 1 or bias.numel() == 1))
    ) and not _is_served(x, weight, bias):
        return _define_dense(x, weight, bias)
    if x.ndim == 2:
        return _multiply(x, weight, bias)
    if x.ndim > 2 and x.numel() > 0 and x.is_contiguous() and may_look(x):
        return _multiply(x.view(-1, x.shape[-1]), weight, bias).view(*x.shape[:-1], weight.shape[1])
    return functional.linear(x, weight.mT, bias)


def _multiply(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Multiply matrices. Unlike that of `linear`, whose weight is (out, in), the weight's gradient is in C order."""
    return torch.mm(x, weight) if bias is None else torch.addmm(bias, x, weight)


def _is_served(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> bool:
    """Return whether PyTorch supports these dtypes, possibly by autocast, and the bias has the right shape."""
    if bias is not None and (bias.shape != weight.shape[1:] or not (bias.dtype is x.dtype or casts(x, bias))):
        return False  # the definition promotes dtypes, or raises an error
    return x.dtype is weight.dtype or casts(x, weight)
