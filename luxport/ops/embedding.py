"""Rows of a table by their indices."""

from __future__ import annotations

from luxport.backend import Array, namespace
from luxport.ops.dtypes import single_or_double
from luxport.ops.operation import operation

__all__ = ["embedding", "pick", "value_range"]


@operation
def embedding(table: Array, indices: Array) -> Array:
    """Return the rows of a table at indices; where an index repeats, the gradients of its rows add up.

    An index that the table does not have is an error on NumPy, and on PyTorch and eager TensorFlow on the CPU;
    JAX fills the row with NaN (and counts negative ones from the end), TensorFlow on a GPU with zeros.

    Shapes: table (rows, ...), indices any shape of integers -> (*indices, ...)
    Source: NNlib ``gather``
    """
    xp = namespace(table, indices)
    shape = tuple(indices.shape)
    # Gradients of rows that are taken many times add up in float32.
    rows = xp.take(single_or_double(xp, table), xp.reshape(indices, (-1,)), axis=0)
    return xp.reshape(xp.astype(rows, table.dtype), (*shape, *table.shape[1:]))


@operation
def value_range(x: Array) -> tuple[int, int] | None:
    """Return the smallest and the largest of integers; None for none, or where values are not known yet.

    They are not while a program is compiled or transformed; and where asking would hold up an accelerator that
    checks indices by itself, nobody asks.
    """
    if 0 in x.shape:
        return None
    xp = namespace(x)
    return int(xp.min(x)), int(xp.max(x))


@operation
def pick(x: Array, indices: Array, *, axis: int) -> Array:
    """Return, for each vector along an axis, its elements at that vector of indices.

    Shapes: x (..., n, ...), indices (..., m, ...) of integers -> like indices
    """
    return namespace(x, indices).take_along_axis(x, indices, axis=axis)
