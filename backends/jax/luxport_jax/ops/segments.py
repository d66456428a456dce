"""JAX's override of reductions over segments."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from luxport import ops
from luxport.backend.dtypes import widen_halves
from luxport.ops._segments import find_empty_segment
from luxport.ops._segments import reduce_known_segments as _reduce_known_segments

__all__ = ["reduce_known_segments"]

_definition = ops.definition_of(_reduce_known_segments)


def reduce_known_segments(src: Any, segments: Any, *, op: str, size: int) -> Any:
    """Call JAX's scatter, except for products, of which it has no gradient for repeated indices."""
    if op == "prod" or 0 in (size, *segments.shape):
        return _definition(src, segments, op=op, size=size)
    if op == "sum":
        return jax.ops.segment_sum(widen_halves(jnp, src), segments, size).astype(src.dtype)
    y = jnp.full((size, *src.shape[1:]), find_empty_segment(jnp, src, op), src.dtype)
    return y.at[segments].max(src) if op == "max" else y.at[segments].min(src)
