"""Rows of a table by their indices."""

from __future__ import annotations

from luxport.backend import Array, namespace
from luxport.backend.dtypes import widen_halves
from luxport.ops._operation import operation
from luxport.ops.indices import expect_integers, mark_missing, require_in_range

__all__ = ["embedding", "pick"]


@operation(takes="table (rows, ...), indices int", early=False)
def embedding(table: Array, indices: Array) -> Array:
    """Return the rows of a table at indices; where an index repeats, the gradients of its rows add up.

    An index that the table does not have is an error where its value is at hand; in compiled and transformed programs
    and on an accelerator its row is NaN: see `luxport.ops.indices`.

    Shapes: table (rows, ...), indices any shape of integers -> (*indices, ...)
    Raises: LayerError for an index out of range; LayerTypeError for indices that are no integers
    Source: NNlib ``gather``
    """
    xp = namespace(table, indices)
    expect_integers(indices)
    shape = tuple(indices.shape)
    held, there = require_in_range(xp, indices, table.shape[0])
    # Gradients of rows that are taken many times add up in float32.
    rows = xp.take(widen_halves(xp, table), xp.reshape(held, (-1,)), axis=0)
    rows = xp.reshape(xp.astype(rows, table.dtype), (*shape, *table.shape[1:]))
    return rows if there is None else mark_missing(xp, rows, there)


@operation
def pick(x: Array, indices: Array, *, axis: int) -> Array:
    """Return, for each vector along an axis, its elements at that vector of indices.

    Shapes: x (..., n, ...), indices (..., m, ...) of integers -> like indices
    """
    return namespace(x, indices).take_along_axis(x, indices, axis=axis)
