"""Products with weights."""

from __future__ import annotations

from luxport.backend import Array, namespace
from luxport.ops.dtypes import plus
from luxport.ops.operation import operation

__all__ = ["dense"]


@operation
def dense(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return ``x @ weight + bias`` on the last axis.

    Shapes: x (..., in), weight (in, out), bias (out,) or None -> (..., out)
    Source: LuxLib ``fused_dense_bias_activation``
    """
    xp = namespace(x, weight, bias)
    y = xp.matmul(x, weight)
    return y if bias is None else plus(xp, y, bias)
