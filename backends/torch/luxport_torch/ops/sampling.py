"""PyTorch's override for rotating images: tables of weights are tensors, so that a program works for every size."""

from __future__ import annotations

import torch

from luxport.ops._sampling import make_taps
from luxport_torch import xp

__all__ = ["rotation_taps"]


def rotation_taps(
    x: torch.Tensor, *, angle: float, center: tuple[float, float], bilinear: bool
) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    """Return the weights and indices of the rotation, computed with tensors in double precision."""
    host = x.device.type == "mps"  # MPS has no double precision
    taps = make_taps(xp, tuple(x.shape)[2:], angle, center, bilinear, device="cpu" if host else x.device)
    return tuple([(weights.to(x.device, x.dtype), indices.to(x.device)) for weights, indices in taps])
