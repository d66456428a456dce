"""Products with a weight."""

from __future__ import annotations

from luxport import ops
from luxport_onnx.graph import Array, record
from luxport_onnx.xp import add, matmul, take

__all__ = ["dense", "embedding"]

_define_embedding = ops.definition_of(ops.embedding)


def dense(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Record one operator for a matrix with a bias, two for other arrays."""
    matrices = x.ndim == weight.ndim == 2 and x.dtype == weight.dtype and x.dtype.kind == "f"
    if bias is None or not matrices or bias.ndim != 1 or bias.dtype != x.dtype or x.is_constant:
        y = matmul(x, weight)
        return y if bias is None else add(y, bias)
    if x.shape[1] != weight.shape[0] or bias.shape != weight.shape[1:]:
        return add(matmul(x, weight), bias)  # which raises an error that says what is wrong
    shapes = [(a[0], b[1]) for a, b in zip(x.shapes, weight.shapes, strict=True)]
    return record("Gemm", x, weight, bias, dtype=x.dtype, shapes=shapes)


def embedding(table: Array, indices: Array) -> Array:
    """Record one operator; onnxruntime raises an error for an index out of range."""
    if indices.value is not None or indices.dtype.kind not in "iu":
        return _define_embedding(table, indices)
    return take(table, indices, axis=0)
