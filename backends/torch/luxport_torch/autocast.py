"""Support of `torch.autocast`: products use its dtype, other operations the widest dtype of their operands."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

__all__ = ["casts", "leave_autocast"]

F = TypeVar("F", bound=Callable[..., Any])

_CAST = (torch.float32, torch.float16, torch.bfloat16)


def casts(x: torch.Tensor, other: Any) -> bool:
    """Return whether autocast is enabled on x's device and converts both dtypes; it does not convert float64."""
    return torch.is_autocast_enabled(x.device.type) and x.dtype in _CAST and getattr(other, "dtype", None) in _CAST


def leave_autocast(f: F) -> F:
    """Run a function of x, a weight and more arrays in float32 where autocast would convert x and the weight."""

    @functools.wraps(f)
    def call(x: torch.Tensor, weight: torch.Tensor, *arrays: torch.Tensor | None, **options: Any) -> Any:
        if not casts(x, weight):
            return f(x, weight, *arrays, **options)
        with torch.autocast(x.device.type, enabled=False):
            wide = [a.float() if a is not None and a.dtype in _CAST else a for a in (x, weight, *arrays)]
            return f(*wide, **options)

    return call  # type: ignore[return-value]
