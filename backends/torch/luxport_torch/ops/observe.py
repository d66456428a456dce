"""Looking at values and gradients as they pass."""

from __future__ import annotations

from typing import Any

import torch
from torch._C import _functorch  # type: ignore[attr-defined]

__all__ = ["observe"]


def observe(x: torch.Tensor, *, forward: Any = None, backward: Any = None) -> torch.Tensor:
    """Show x and its gradient where they have values, which compiled programs and `vmap` do not let out."""
    if torch.compiler.is_compiling() or _is_batched(x):
        return x
    if forward is not None:
        forward(x)
    if backward is None or not x.requires_grad:
        return x
    # A view of its own: the gradient of this use of x alone.
    view = x.view_as(x)

    def show(gradient: torch.Tensor) -> None:
        if not _is_batched(gradient):
            backward(gradient)

    view.register_hook(show)
    return view


def _is_batched(x: Any) -> bool:
    """Tell whether `vmap` stands behind a tensor, under whatever other transforms."""
    while _functorch.is_functorch_wrapped_tensor(x):
        if _functorch.is_batchedtensor(x):
            return True
        x = _functorch.get_unwrapped(x)
    return False
