"""PyTorch's overrides of embeddings and of functions of indices."""

from __future__ import annotations

import torch
from torch.nn import functional

from luxport import ops
from luxport.backend.dtypes import convert_indices
from luxport.ops import definition_of
from luxport.ops.indices import expect_integers, mark_missing, require_in_range
from luxport_torch import xp
from luxport_torch.ops.conv import does_sum_in_half
from luxport_torch.readable_values import may_look

__all__ = ["embedding", "pick", "value_range"]

_UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)

_define_embedding = definition_of(ops.embedding)


def embedding(table: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Call PyTorch's function: its gradient sums row by row, while that of ``table[indices]`` sorts them first."""
    if table.ndim != 2 or indices.is_floating_point() or indices.dtype in (torch.bool, torch.complex64):
        return _define_embedding(table, indices)
    expect_integers(indices)
    indices, there = require_in_range(xp, indices, table.shape[0])
    if indices.dtype not in (torch.int32, torch.int64):
        indices = indices.to(torch.int64)
    if does_sum_in_half(table):  # the gradient sums rows
        rows = functional.embedding(indices, table.float()).to(table.dtype)
    else:
        rows = functional.embedding(indices, table)
    return rows if there is None else mark_missing(xp, rows, there)


def value_range(x: torch.Tensor) -> tuple[int, int] | None:
    """Return minimum and maximum, computed in one pass; None if x is empty or cannot be read now."""
    if x.numel() == 0 or not may_look(x):
        return None
    # `aminmax` does not support unsigned integers of more than eight bits.
    low, high = torch.aminmax(convert_indices(xp, x) if x.dtype in _UNSIGNED else x)
    return int(low), int(high)


def pick(x: torch.Tensor, indices: torch.Tensor, *, axis: int) -> torch.Tensor:
    """Call PyTorch's function, which takes only 64-bit indices."""
    if torch.compiler.is_compiling():  # `take_along_dim` would be compiled anew for each size
        return torch.gather(x, axis, indices.to(torch.int64))
    return torch.take_along_dim(x, indices.to(torch.int64), dim=axis)
