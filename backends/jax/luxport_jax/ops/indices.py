"""JAX's overrides of embeddings and of functions of indices."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from luxport import ops
from luxport.ops import definition_of
from luxport.ops.indices import are_in_range, expect_integers
from luxport_jax.ops.readable_values import may_look

__all__ = ["value_range"]

_embedding = jax.jit(definition_of(ops.embedding), inline=True)


def embedding(table: Any, indices: Any) -> Any:
    """Check the indices if they can be read now, and call the compiled definition."""
    expect_integers(indices)
    are_in_range(indices, table.shape[0])
    return _embedding(table, indices)


def value_range(x: jax.Array) -> tuple[int, int] | None:
    """Return minimum and maximum; None if x is empty or cannot be read now."""
    if x.size == 0 or not may_look(x):
        return None
    values = np.asarray(x)
    return int(values.min()), int(values.max())
