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
    if x.dtype != weight.dtype and not casts(x, weight):  # complex inputs for real weights
        return _define_dense(x, weight, bias)
    if x.ndim == 2:
        # Unlike that of `linear`, whose weight is (out, in), this product's gradient is in C order.
        return torch.mm(x, weight) if bias is None else torch.addmm(bias, x, weight)
    return functional.linear(x, weight.mT, bias)
