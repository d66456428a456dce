"""Check whether sizes are known: PyTorch's compiler keeps them symbolic."""

from __future__ import annotations

import torch

__all__ = ["are_fixed"]


def are_fixed(x: torch.Tensor) -> bool:
    """Return whether all sizes are ints, and no program is being compiled, which should work for other sizes too."""
    return not torch.compiler.is_compiling() and not any([isinstance(n, torch.SymInt) for n in x.shape])
