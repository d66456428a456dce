"""Check that a normalization kernel was accurate, from the means and reciprocal deviations that it returns."""

from __future__ import annotations

import math

import torch

from luxport.ops.moments import FAR

__all__ = ["is_usual"]


def is_usual(means: torch.Tensor, factors: torch.Tensor, epsilon: float) -> bool:
    """Return whether the squares of the inputs neither overflowed nor underflowed.

    Otherwise the kernel's results can be NaN or 0 for finite inputs, and its gradient, which has third powers of the
    factors, too. Also return False if a mean is so large that its rounding error is not small beside the deviation.

    Args:
        means: one for each normalized group
        factors: 1 / sqrt(var + epsilon) of each group
        epsilon: the norm's epsilon
    """
    if factors.numel() == 0:
        return True
    bound = _USUAL[factors.dtype]
    factors, means = _make_row(factors), _make_row(means)
    if not factors.min().item() * bound > 1 or (epsilon * bound**2 < 1 and factors.max().item() >= bound):
        return False
    square = torch.dot(means, means).item()  # an upper bound of each squared mean
    if square <= FAR * epsilon:
        return True
    return square < bound**2 and torch.linalg.vector_norm(means * factors, math.inf).item() ** 2 <= FAR


def _make_row(x: torch.Tensor) -> torch.Tensor:
    x = x.detach() if x.requires_grad else x
    return x if x.ndim == 1 else x.reshape(-1)


_USUAL = {torch.float32: 2.0**40, torch.float64: 2.0**320}
