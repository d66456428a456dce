"""Whether an array has values, or is a placeholder in a program that is compiled or mapped: `has_values`."""

from __future__ import annotations

import mlx.core as mx

__all__ = ["has_values"]


def has_values(x: mx.array) -> bool:
    """Tell whether x has values, by computing it: MLX refuses that for a placeholder, and has no other way to tell."""
    try:
        mx.eval(x)
    except (RuntimeError, ValueError):
        return False
    return True
