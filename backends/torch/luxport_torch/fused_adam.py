"""Adam's step with PyTorch's fused kernel, with bias correction by given powers of the betas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

__all__ = ["step_adam"]

_LATE = torch.tensor(1e9)
_kernel: Any = torch._fused_adam_  # type: ignore[attr-defined]


def step_adam(
    xs: list[torch.Tensor],
    dxs: Sequence[torch.Tensor],
    ms: list[torch.Tensor],
    vs: list[torch.Tensor],
    powers: tuple[float, float],
    eta: float,
    beta: tuple[float, float],
    epsilon: float,
) -> None:
    """Update `xs`, `ms` and `vs` in place.

    The kernel computes the powers of the betas from a count of steps. It gets a count so large that these are 0 and its
    bias correction does nothing; the correction by `powers` is put into the learning rate and epsilon instead.
    """
    root = math.sqrt(1.0 - powers[1])
    _kernel(
        *(xs, [dx if dx.is_contiguous() else dx.contiguous() for dx in dxs], ms, vs, [], [_LATE] * len(xs)),
        lr=eta * root / (1.0 - powers[0]),
        beta1=beta[0],
        beta2=beta[1],
        weight_decay=0.0,
        eps=epsilon * root,
        amsgrad=False,
        maximize=False,
    )
