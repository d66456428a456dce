"""PyTorch's functions and tensor methods on arrays of any backend, by PyTorch's names and with its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from luxport.porting.torch.functions import creation, elementwise, reductions, resampling, shaping, windows

__all__ = ["CREATION_FUNCTIONS", "FUNCTIONS"]

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **elementwise.FUNCTIONS,
    **reductions.FUNCTIONS,
    **resampling.FUNCTIONS,
    **shaping.FUNCTIONS,
    **windows.FUNCTIONS,
}
"""Functions whose first argument is an array, or a sequence of arrays."""

CREATION_FUNCTIONS: Mapping[str, Callable[..., Any]] = creation.FUNCTIONS
"""Functions that create arrays, on the backend and device of their first argument, an additional array."""
