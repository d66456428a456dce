"""PyTorch's override for splitting flat vectors."""

from __future__ import annotations

import torch

__all__ = ["split_vector"]


def split_vector(vector: torch.Tensor, *, sizes: tuple[int, ...]) -> tuple[torch.Tensor, ...]:
    """Split by one operation, whose gradient is one concatenation; that of a slice would be a vector full of zeros."""
    return torch.split(vector, list(sizes))
