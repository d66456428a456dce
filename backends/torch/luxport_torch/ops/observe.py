"""`observe`: callbacks that see values and gradients."""

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
    # A view, whose gradient is that of this use of x alone.
    view = x.view_as(x)

    def show(gradient: torch.Tensor) -> None:
        if not _is_batched(gradient):
            backward(gradient)

    view.register_hook(show)
    return view


def _is_batched(x: Any) -> bool:
    """Tell whether a tensor is batched by `vmap`, also inside other transforms."""
    while _functorch.is_functorch_wrapped_tensor(x):
        if _functorch.is_batchedtensor(x):
            return True
        x = _functorch.get_unwrapped(x)
    return False
