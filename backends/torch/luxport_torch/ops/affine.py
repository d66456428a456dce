"""Products with weights by PyTorch."""

from __future__ import annotations

import torch
from torch.nn import functional

from luxport import ops
from luxport.ops import definition_of
from luxport_torch.casting import casts

__all__ = ["dense"]

_define_dense = definition_of(ops.dense)


def dense(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """One call of the library, which adds the bias while it multiplies."""
    dtype = x.dtype
    # The library itself refuses any other bias of one axis that does not fit.
    if (
        dtype is not weight.dtype
        or (bias is not None and (bias.dtype is not dtype or bias.ndim != 1 or bias.numel() == 1))
    ) and not _is_served(x, weight, bias):
        return _define_dense(x, weight, bias)
    if x.ndim == 2:
        # Unlike that of `linear`, whose weight is (out, in), this product's gradient is in C order.
        return torch.mm(x, weight) if bias is None else torch.addmm(bias, x, weight)
    return functional.linear(x, weight.mT, bias)


def _is_served(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> bool:
    """Tell whether the library takes the dtypes, as they are or by autocast, and a bias that is not spread out."""
    if bias is not None and (bias.shape != weight.shape[1:] or not (bias.dtype is x.dtype or casts(x, bias))):
        return False  # to be promoted, such as complex inputs for real weights, or refused
    return x.dtype is weight.dtype or casts(x, weight)
