"""Products with weights."""

from __future__ import annotations

from luxport.backend import Array, namespace
from luxport.ops.operation import operation

__all__ = ["dense"]


@operation
def dense(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return ``x @ weight + bias`` on the last axis.

    Shapes: x (..., in), weight (in, out), bias (out,) or None -> (..., out)
    Source: LuxLib ``fused_dense_bias_activation``
    """
    y = namespace(x, weight, bias).matmul(x, weight)
    return y if bias is None else y + bias
