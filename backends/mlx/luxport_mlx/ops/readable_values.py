"""Reading values while a program runs, on MLX, which computes an array only when it is read."""

from __future__ import annotations

import mlx.core as mx

from luxport_mlx.values import has_values

__all__ = ["may_look", "value_range"]


def may_look(x: mx.array) -> bool:
    """Tell whether x can be read at once: outside compiled and mapped programs, and on the CPU."""
    return mx.default_device().type == mx.cpu and has_values(x)


def value_range(x: mx.array) -> tuple[int, int] | None:
    """Return the least and the largest value; None if there are none, or they cannot be read at once."""
    if 0 in x.shape or not may_look(x):
        return None
    least, most = mx.min(x), mx.max(x)
    return int(least), int(most)  # type: ignore[arg-type]
