"""PyTorch's Array API namespace: `array_api_compat.torch`, with a few functions replaced.

`torch.func.vmap` has no rule for `torch.moveaxis`, whose synonym `torch.movedim` it supports, and none for assignment
through a boolean mask.
"""

# pyright: reportWildcardImportFromLibrary=false, reportUnsupportedDunderAll=false, reportUndefinedVariable=false
from __future__ import annotations

import array_api_compat.torch
import torch
from array_api_compat.torch import *  # noqa: F403

del classes  # noqa: F821  # `torch.classes`, which raises an error for every attribute that is looked up

__all__ = [name for name in array_api_compat.torch.__all__ if name != "classes"]

__array_api_version__ = array_api_compat.torch.__array_api_version__
__array_namespace_info__ = array_api_compat.torch.__array_namespace_info__
moveaxis = torch.movedim


def unstack(x: torch.Tensor, /, *, axis: int = 0) -> tuple[torch.Tensor, ...]:
    """Return the slices along an axis."""
    return torch.unbind(x, axis)


def sign(x: torch.Tensor, /) -> torch.Tensor:
    """Return the sign of each element; the sign of NaN is NaN."""
    if not x.is_floating_point():
        return array_api_compat.torch.sign(x)
    return torch.where(torch.isnan(x), x, torch.sign(x))


def take_along_axis(x: torch.Tensor, indices: torch.Tensor, /, *, axis: int = -1) -> torch.Tensor:
    """Return the elements of x at indices along an axis.

    `torch.gather`, where shapes allow it, compiles into one program for all sizes; `take_along_dim` does not.
    """
    along = axis if axis >= 0 else axis + x.ndim
    kept, wanted = [(*each.shape[:along], *each.shape[along + 1 :]) for each in (x, indices)]
    alike = x.ndim == indices.ndim and kept == wanted
    return torch.gather(x, along, indices) if alike else torch.take_along_dim(x, indices, dim=axis)
