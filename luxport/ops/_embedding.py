"""Lookups in a table by indices."""

from __future__ import annotations

from luxport.backend import Array, namespace
from luxport.backend.dtypes import widen_halves
from luxport.ops._operation import operation
from luxport.ops.indices import expect_integers, mark_missing, require_in_range

__all__ = ["embedding", "pick"]


@operation(takes="table (rows, ...), indices int", early=False)
def embedding(table: Array, indices: Array) -> Array:
    """Return the rows of a table at indices.

    An index out of range is an error if its value can be read; in compiled and transformed programs, and on an
    accelerator, its row is NaN instead: see `luxport.ops.indices`.

    Shapes: table (rows, ...), indices any shape of integers -> (*indices, ...)
    Raises: LayerError for an index out of range; LayerTypeError for indices that are no integers
    Source: NNlib ``gather``
    """
    xp = namespace(table, indices)
    expect_integers(indices)
    shape = tuple(indices.shape)
    safe, in_range = require_in_range(xp, indices, table.shape[0])
    # The gradient of a row that is taken several times is a sum, in float32.
    rows = xp.take(widen_halves(xp, table), xp.reshape(safe, (-1,)), axis=0)
    rows = xp.reshape(xp.astype(rows, table.dtype), (*shape, *table.shape[1:]))
    return rows if in_range is None else mark_missing(xp, rows, in_range)


@operation
def pick(x: Array, indices: Array, *, axis: int) -> Array:
    """Return, for each vector along an axis, its elements at a vector of indices of its own.

    Shapes: x (..., n, ...), indices (..., m, ...) of integers -> like indices
    """
    return namespace(x, indices).take_along_axis(x, indices, axis=axis)
