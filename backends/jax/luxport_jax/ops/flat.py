"""Flat vectors by JAX."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import jax.numpy as jnp

__all__ = ["split_vector"]


def split_vector(vector: Any, *, sizes: tuple[int, ...]) -> tuple[Any, ...]:
    """Split by one operation, whose gradient is one concatenation; each slice would have a whole vector of zeros."""
    return tuple(jnp.split(vector, list(accumulate(sizes))[:-1]))
