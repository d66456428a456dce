"""Indices on NumPy."""

from __future__ import annotations

from typing import Any

__all__ = ["value_range"]


def value_range(x: Any) -> tuple[int, int] | None:
    """Take minimum and maximum directly, without the overhead of a namespace."""
    return (int(x.min()), int(x.max())) if x.size else None
