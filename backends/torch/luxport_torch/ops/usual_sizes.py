"""Whether numbers are of usual size, by the means and factors that a norm's kernel returns."""

from __future__ import annotations

import math

import torch

from luxport.ops.moments import FAR

__all__ = ["is_usual"]


def is_usual(means: torch.Tensor, factors: torch.Tensor, epsilon: float) -> bool:
    """Tell whether squares neither overflow nor vanish, by the few means, and factors by which numbers are multiplied.

    Otherwise the kernels make NaN or 0 of finite numbers, and their gradients hold third powers of the factors. A mean
    must not be so large either that its rounding error is large beside the deviation.
    """
    if factors.numel() == 0:
        return True
    bound = _USUAL[factors.dtype]
    factors, means = _make_row(factors), _make_row(means)
    if not factors.min().item() * bound > 1 or (epsilon * bound**2 < 1 and factors.max().item() >= bound):
        return False
    square = torch.dot(means, means).item()  # no mean is larger than the root of this
    if square <= FAR * epsilon:
        return True
    return square < bound**2 and torch.linalg.vector_norm(means * factors, math.inf).item() ** 2 <= FAR


def _make_row(x: torch.Tensor) -> torch.Tensor:
    x = x.detach() if x.requires_grad else x
    return x if x.ndim == 1 else x.reshape(-1)


_USUAL = {torch.float32: 2.0**40, torch.float64: 2.0**320}
