"""Check whether sizes are known: some are symbolic under `jax.export`."""

from __future__ import annotations

from typing import Any

__all__ = ["are_fixed"]


def are_fixed(x: Any) -> bool:
    """Return whether all sizes are ints; a program with symbolic sizes should work for all their values."""
    return all([isinstance(n, int) for n in x.shape])
