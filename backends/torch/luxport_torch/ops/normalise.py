"""Normalisation by PyTorch."""

from __future__ import annotations

import torch

from luxport import ops
from luxport.ops import definition_of

__all__ = ["batch_norm"]

_define_batch_norm = definition_of(ops.batch_norm)


def batch_norm(
    x: torch.Tensor,
    scale: torch.Tensor | None,
    bias: torch.Tensor | None,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    *,
    training: bool,
    momentum: float,
    epsilon: float,
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """The library's kernel, which changes the running statistics in place, on copies of them."""
    if not _native(x, scale, running_mean):
        return _define_batch_norm(
            *(x, scale, bias, running_mean, running_var), training=training, momentum=momentum, epsilon=epsilon
        )
    use_batch = training or running_mean is None
    if training and running_mean is not None and running_var is not None:
        running_mean, running_var = running_mean.clone(), running_var.clone()
    y = torch.batch_norm(*(x, scale, bias, running_mean, running_var), use_batch, momentum, epsilon, True)
    return y, running_mean, running_var


def _native(x: torch.Tensor, scale: torch.Tensor | None, running: torch.Tensor | None) -> bool:
    """Tell whether the kernel takes these: one dtype, no transform that forbids changes in place."""
    return (
        x.ndim > 1
        and (scale is None or scale.dtype == x.dtype)
        and (running is None or (running.dtype == x.dtype and not running.requires_grad))
        and not torch._C._are_functorch_transforms_active()
    )
