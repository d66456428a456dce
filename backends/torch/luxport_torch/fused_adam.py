"""Adam's step by PyTorch's fused kernel, corrected by powers of beta in place of a count of steps."""

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
    """Step in place.

    The kernel computes the powers of beta from a count of steps. It is given so large a count that they are 0 and
    correct nothing; the correction by the given powers is in the learning rate and epsilon.
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
