"""Whether an array is one of numbers, or stands for those to come: `has_values`."""

from __future__ import annotations

import mlx.core as mx

__all__ = ["has_values"]


def has_values(x: mx.array) -> bool:
    """Compute x, which MLX refuses in a program that is compiled or mapped: other than by asking it does not say."""
    try:
        mx.eval(x)
    except (RuntimeError, ValueError):
        return False
    return True
