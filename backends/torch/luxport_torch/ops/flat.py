"""Flat vectors by PyTorch."""

from __future__ import annotations

import torch

__all__ = ["split_vector"]


def split_vector(vector: torch.Tensor, *, sizes: tuple[int, ...]) -> tuple[torch.Tensor, ...]:
    """Split by one operation, whose gradient is one concatenation; each slice would have a whole vector of zeros."""
    return torch.split(vector, list(sizes))
