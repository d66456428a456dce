"""Looking at numbers in passing on MLX, which computes nothing before it is asked to."""

from __future__ import annotations

import mlx.core as mx

__all__ = ["may_look", "value_range"]


def may_look(x: mx.array) -> bool:
    """Not in a program that is compiled or mapped, where MLX refuses, and not where a GPU would be waited for."""
    if mx.default_device().type != mx.cpu:
        return False
    try:
        mx.eval(x)
    except (RuntimeError, ValueError):  # of an array that is to come, and of one that has come of it
        return False
    return True


def value_range(x: mx.array) -> tuple[int, int] | None:
    """On the host, where that is the same memory."""
    if 0 in x.shape or not may_look(x):
        return None
    return int(mx.min(x).item()), int(mx.max(x).item())
