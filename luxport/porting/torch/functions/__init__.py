"""PyTorch's functions and methods of tensors, by their names there and with their arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from luxport.porting.torch.functions import creation, elementwise, reductions, resampling, shaping, windows

__all__ = ["CREATING", "FUNCTIONS"]

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **elementwise.FUNCTIONS,
    **reductions.FUNCTIONS,
    **resampling.FUNCTIONS,
    **shaping.FUNCTIONS,
    **windows.FUNCTIONS,
}
"""Functions of arrays: the first argument is an array, or several."""

CREATING: Mapping[str, Callable[..., Any]] = creation.FUNCTIONS
"""Functions that make arrays: they are given an array first, the like of which they make."""
