"""Indices on JAX."""

from __future__ import annotations

import jax
import numpy as np
from jax.core import Tracer

from luxport import ops
from luxport.ops import definition_of

__all__ = ["embedding", "value_range"]

embedding = jax.jit(definition_of(ops.embedding), inline=True)


def value_range(x: jax.Array) -> tuple[int, int] | None:
    """On the host: on a CPU that is the same memory."""
    if isinstance(x, Tracer) or x.size == 0 or not x.is_fully_addressable:
        return None
    values = np.asarray(x)
    return int(values.min()), int(values.max())
