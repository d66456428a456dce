"""Whether a number may be looked at in passing: not in a trace, and not where an accelerator would be waited for."""

from __future__ import annotations

import torch

__all__ = ["may_look"]


def may_look(x: torch.Tensor) -> bool:
    """Tell whether x holds numbers on the CPU, outside of transforms and compiled programs."""
    return (
        not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
        and type(x) is torch.Tensor
        and x.is_cpu
    )
