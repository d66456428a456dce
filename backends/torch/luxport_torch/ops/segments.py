"""PyTorch's override of reductions over segments."""

from __future__ import annotations

import torch

from luxport.ops._segments import find_empty_segment
from luxport_torch import xp

__all__ = ["reduce_known_segments"]

_NAMES = {"prod": "prod", "max": "amax", "min": "amin"}


def reduce_known_segments(src: torch.Tensor, segments: torch.Tensor, *, op: str, size: int) -> torch.Tensor:
    """Call PyTorch's `index_add` for sums, `scatter_reduce` for other reductions."""
    shape = (size, *src.shape[1:])
    if segments.dtype not in (torch.int32, torch.int64) and _are_integers(segments):
        segments = segments.to(torch.int64)
    if op == "sum":
        if not src.is_floating_point() or src.dtype.itemsize >= 4:
            return src.new_zeros(shape).index_add(0, segments, src)
        wide = src.float()
        return wide.new_zeros(shape).index_add(0, segments, wide).to(src.dtype)
    if op == "prod" and src.is_floating_point() and src.dtype.itemsize < 4:
        return reduce_known_segments(src.float(), segments, op=op, size=size).to(src.dtype)
    y = src.new_full(shape, find_empty_segment(xp, src, op))
    places = segments.to(torch.int64).reshape(-1, *[1] * (src.ndim - 1)).expand(src.shape)
    return y.scatter_reduce(0, places, src, _NAMES[op])


def _are_integers(x: torch.Tensor) -> bool:
    return not (x.is_floating_point() or x.is_complex() or x.dtype == torch.bool)
