"""Sizes by JAX, which are symbols where `jax.export` leaves them free."""

from __future__ import annotations

from typing import Any

__all__ = ["are_fixed"]


def are_fixed(x: Any) -> bool:
    """Tell whether no size is a symbol: a program with symbols serves every size that they stand for."""
    return all([isinstance(n, int) for n in x.shape])
