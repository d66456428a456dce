"""Sizes by JAX, which are symbols where `jax.export` leaves them free."""

from __future__ import annotations

from typing import Any

__all__ = ["are_fixed"]


def are_fixed(x: Any) -> bool:
    """Not where one is a symbol: the program serves every size that it stands for."""
    return all([isinstance(n, int) for n in x.shape])
