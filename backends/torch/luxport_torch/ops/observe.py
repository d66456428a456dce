"""PyTorch's override of `observe`: callbacks that get values and gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch._C import _functorch  # type: ignore[attr-defined]

__all__ = ["observe"]


def observe(x: torch.Tensor, *, forward: Any = None, backward: Any = None) -> torch.Tensor:
    """Call `forward` with x and `backward` with its gradient; not in compiled programs nor in `vmap`."""
    if torch.compiler.is_compiling() or _is_batched(x):
        return x
    if forward is not None:
        forward(x)
    if backward is None or not x.requires_grad:
        return x
    # A hook on x itself would get the sum of gradients of all uses of x; the view has that of this use alone.
    view = x.view_as(x)

    def show(gradient: torch.Tensor) -> None:
        if not _is_batched(gradient):
            backward(gradient)

    view.register_hook(show)
    return view


def _is_batched(x: Any) -> bool:
    """Return whether `vmap` batches a tensor, directly or below other transforms."""
    while _functorch.is_functorch_wrapped_tensor(x):
        if _functorch.is_batchedtensor(x):
            return True
        x = _functorch.get_unwrapped(x)
    return False
