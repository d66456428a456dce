"""`torch.autocast`: products are computed in its dtype, everything else in the widest dtype of the operands."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["casts", "call_in_float32"]

_CAST = (torch.float32, torch.float16, torch.bfloat16)


def casts(x: torch.Tensor, other: Any) -> bool:
    """Tell whether autocast is enabled where x is, and converts both dtypes: it leaves double precision alone."""
    return torch.is_autocast_enabled(x.device.type) and x.dtype in _CAST and getattr(other, "dtype", None) in _CAST


def call_in_float32(f: Any, *arrays: torch.Tensor | None, **options: Any) -> Any:
    """Call f on float32 arrays, with autocast disabled."""
    with torch.autocast(next(a.device.type for a in arrays if a is not None), enabled=False):
        return f(*[a.float() if a is not None and a.dtype in _CAST else a for a in arrays], **options)
