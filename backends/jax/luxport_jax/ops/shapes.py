"""Sizes by JAX, some of which are symbols under `jax.export`."""

from __future__ import annotations

from typing import Any

__all__ = ["are_fixed"]


def are_fixed(x: Any) -> bool:
    """Return whether sizes are plain numbers: a program with symbols is to serve every size that they stand for."""
    return all([isinstance(n, int) for n in x.shape])
