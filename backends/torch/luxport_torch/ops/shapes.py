"""Sizes by PyTorch, whose compiler keeps them symbolic."""

from __future__ import annotations

import torch

__all__ = ["are_fixed"]


def are_fixed(x: torch.Tensor) -> bool:
    """Tell whether sizes are plain numbers: a program that is being compiled is to serve other sizes too."""
    return not torch.compiler.is_compiling() and not any([isinstance(n, torch.SymInt) for n in x.shape])
