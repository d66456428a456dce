"""NumPy's override of `value_range`."""

from __future__ import annotations

from typing import Any

__all__ = ["value_range"]


def value_range(x: Any) -> tuple[int, int] | None:
    """Return minimum and maximum; None if x is empty."""
    return (int(x.min()), int(x.max())) if x.size else None
