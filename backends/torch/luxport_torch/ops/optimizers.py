"""Steps of optimizers by PyTorch."""

from __future__ import annotations

import math
from typing import Any

import torch

from luxport.ops import definition_of
from luxport.optimizers import _adam as adam
from luxport.optimizers import _clip as clip
from luxport.optimizers._rule import in_dtype_of, is_number

__all__ = ["adam_step", "finite_norm"]

_define_adam_step = definition_of(adam.adam_step)
_define_finite_norm = definition_of(clip.finite_norm)
_LATE = torch.tensor(1e9)


def adam_step(
    dx: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    powers: torch.Tensor,
    *,
    eta: Any,
    beta: tuple[Any, Any],
    epsilon: Any,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """One pass over memory by PyTorch's fused kernel where there are plain numbers on the CPU; else the definition.

    The kernel would take the powers of beta from a count of steps; so late that they are 0 it corrects nothing,
    and the correction by our own powers goes into its learning rate and epsilon.
    """
    hyperparameters = [value for value in (eta, *beta, epsilon) if not is_number(value)]
    if not _plain(dx, m, v, powers, *hyperparameters):
        return _define_adam_step(dx, m, v, powers, eta=eta, beta=beta, epsilon=epsilon)
    if hyperparameters:
        eta, beta, epsilon = float(eta), (float(beta[0]), float(beta[1])), float(epsilon)
    beta1, beta2 = in_dtype_of(dx, beta[0]), in_dtype_of(dx, beta[1])
    power1, power2 = powers.tolist()
    root = math.sqrt(1.0 - power2)
    step = torch.zeros_like(dx)
    m, v = m.clone(), v.clone()
    torch._fused_adam_(  # type: ignore[attr-defined]
        *([step], [dx], [m], [v], [], [_LATE]),
        # The kernel subtracts; the step is to be subtracted by who asked for it.
        lr=-in_dtype_of(dx, eta) * root / (1.0 - power1),
        beta1=beta1,
        beta2=beta2,
        weight_decay=0.0,
        eps=epsilon * root,
        amsgrad=False,
        maximize=False,
    )
    return m, v, torch.tensor([beta1 * power1, beta2 * power2], dtype=powers.dtype), step


def finite_norm(size: torch.Tensor, *, p: float, shape: tuple[int, ...]) -> torch.Tensor:
    """Ask whether it is finite, unless there is no value yet."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return size
    return _define_finite_norm(size, p=p, shape=shape)


def _plain(*tensors: torch.Tensor) -> bool:
    """Tell whether all of them hold single or double floats of the CPU in C order, and nothing follows what we do."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    differentiated = torch.is_grad_enabled()
    for tensor in tensors:
        if (
            type(tensor) is not torch.Tensor
            or tensor.dtype not in (torch.float32, torch.float64)
            or not tensor.is_cpu
            or not tensor.is_contiguous()
            or (differentiated and tensor.requires_grad)
        ):
            return False
    return True
